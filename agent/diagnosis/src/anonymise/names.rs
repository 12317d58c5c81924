//! Names of nodes, pods, containers, processes and interfaces.

use std::collections::BTreeMap;

use crate::evidence::LinkKind;

/// The beginnings of interface names that the kernel, or a program that many nodes run, makes up. A number follows.
const USUAL: [&str; 25] = [
    "bond", "br", "cni", "docker", "dummy", "eno", "ens", "erspan", "eth", "gre", "gretap", "ifb",
    "ip6tnl", "ipvlan", "ipvtap", "macvlan", "macvtap", "sit", "tap", "team", "tun", "tunl",
    "veth", "vxlan", "wlan",
];
/// So that a new name fits IFNAMSIZ with its number.
const LONGEST_KIND: usize = 9;

/// The replacements made so far.
#[derive(Default)]
pub(super) struct Names {
    /// By what is named and its name.
    new: BTreeMap<(&'static str, String), String>,
    /// The number of names of each kind.
    counts: BTreeMap<String, u32>,
    /// By the name without its namespace, for texts.
    in_texts: BTreeMap<String, String>,
}

impl Names {
    /// The name that replaces this one: `pod-1`. Nothing stays nothing.
    pub(super) fn of(&mut self, kind: &'static str, name: &str) -> String {
        self.replacement(kind, kind, name)
    }

    /// The name that replaces this interface's; a usual one stays.
    pub(super) fn of_interface(&mut self, name: &str, kind: Option<&LinkKind>) -> String {
        if is_usual(name) {
            return name.to_owned();
        }
        let kind = kind.map_or("nic".to_owned(), LinkKind::to_string);
        let prefix: String = kind
            .chars()
            .filter(char::is_ascii_lowercase)
            .take(LONGEST_KIND)
            .collect();
        self.replacement("interface", &prefix, name)
    }

    /// The replacement of a name that is known, whatever it names.
    pub(super) fn known(&self, word: &str) -> Option<String> {
        self.in_texts.get(word).cloned()
    }

    fn replacement(&mut self, kind: &'static str, prefix: &str, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        let key = (kind, name.to_owned());
        if let Some(known) = self.new.get(&key) {
            return known.clone();
        }
        let count = self.counts.entry(prefix.to_owned()).or_default();
        *count += 1;
        let new = format!("{prefix}-{count}");
        self.new.insert(key, new.clone());
        self.in_texts
            .entry(name.to_owned())
            .or_insert_with(|| new.clone());
        new
    }
}

/// `lo`, `eth0`, `eth0.100`.
fn is_usual(name: &str) -> bool {
    let (device, vlan) = name.split_once('.').unwrap_or((name, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let counts = |prefix: &&str| device.strip_prefix(*prefix).is_some_and(is_number);
    name == "lo" || (is_number(vlan) && USUAL.iter().any(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_interfaces_keep_their_names_and_others_get_one_of_their_kind() {
        let mut names = Names::default();
        for usual in ["lo", "eth0", "bond12.100", "macvtap3"] {
            assert_eq!(names.of_interface(usual, None), usual);
        }
        let first = names.of_interface("acme-uplink", Some(&LinkKind::OpenVSwitch));
        assert_eq!(first, "openvswit-1");
        assert_eq!(
            names.of_interface("vethacme", Some(&LinkKind::Veth)),
            "veth-1"
        );
        assert_eq!(names.of_interface("acme-uplink", None), first);
        assert_eq!(names.of_interface("eth0.acme", None), "nic-1");
        assert_eq!(names.known("acme-uplink"), Some(first));
    }

    #[test]
    fn one_word_may_name_two_things() {
        let mut names = Names::default();
        assert_eq!(names.of("pod", "shop"), "pod-1");
        assert_eq!(names.of("namespace", "shop"), "namespace-1");
        assert_eq!(names.of("pod", "shop"), "pod-1");
        assert_eq!(names.of("pod", ""), "");
    }
}
