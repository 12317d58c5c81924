//! Facts that findings of several checks rest on.

use super::{Tally, say};
use crate::{
    Window,
    evidence::{DropCount, Link, Namespace},
    finding::Proof,
    kernel::hook,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// The function that the drop probe is attached to.
const SOURCE: &str = hook::KFREE_SKB;
/// Drop keys shown one by one; the rest is added up.
const KEYS_SHOWN: usize = 4;

/// A line for each of the most frequent keys, and one for all others.
pub(crate) fn drops(window: &Window<'_>, tally: &Tally) -> Vec<Proof> {
    let mut keys: Vec<&DropCount> = tally.drops(window).collect();
    keys.sort_by(|a, b| (b.count, &a.reason, &a.location).cmp(&(a.count, &b.reason, &b.location)));
    let others = keys.split_off(keys.len().min(KEYS_SHOWN));
    let mut proofs: Vec<Proof> = keys.into_iter().map(|key| of_key(window, key)).collect();
    if !others.is_empty() {
        let name = format!(
            "{} other combinations of reason, function and device",
            others.len()
        );
        let sum = others.iter().map(|key| key.count);
        proofs.push(of_drop(name, sum.fold(0, u64::saturating_add)));
    }
    proofs
}

/// The drops of one key. What carries IP is a packet; all else is known as a frame.
fn of_key(window: &Window<'_>, key: &DropCount) -> Proof {
    let unit = match key.ethertype {
        0 | ETH_P_IP | ETH_P_IPV6 => "packets",
        _ => "frames",
    };
    Proof::new(key_name(window, key), key.count, unit, SOURCE)
}

/// Something about dropped packets.
pub(crate) fn of_drop(name: impl Into<String>, value: impl ToString) -> Proof {
    Proof::new(name, value, "packets", SOURCE)
}

/// `NETFILTER_DROP at nft_do_chain, dev eth0, 0x0800`.
pub(crate) fn key_name(window: &Window<'_>, key: &DropCount) -> String {
    let reason = key.reason.named().unwrap_or("dropped");
    let location = key.location.named();
    let location = location.unwrap_or("a function that could not be named");
    let mut name = format!("{reason} at {location}");
    let link = key
        .netns
        .and_then(|netns| window.topology.link(netns, key.ifindex));
    if let Some(link) = link {
        name.push_str(&format!(", dev {}", link.name));
    }
    if key.ethertype != 0 {
        name.push_str(&format!(", {}", say::ethertype(key.ethertype)));
    }
    name
}

/// `eth0 rx_dropped: +12 packets`.
pub(crate) fn link_rose(link: &Link, counter: &str, increase: u64) -> Proof {
    let name = format!("{} {counter}", link.name);
    Proof::new(name, format!("+{increase}"), "packets", "netlink")
}

/// `Tcp.RetransSegs of pod shop/cart-0: +12 segments`; `None` where the counter was not read.
pub(crate) fn counter_rose(
    namespace: &Namespace,
    counter: &str,
    unit: &'static str,
) -> Option<Proof> {
    let increase = namespace.increase(counter)?;
    let source = match counter.split_once('.')?.0 {
        "TcpExt" | "IpExt" => "/proc/net/netstat",
        "Conntrack" => "/proc/net/stat/nf_conntrack",
        group if group.ends_with('6') => "/proc/net/snmp6",
        _ => "/proc/net/snmp",
    };
    let name = format!("{counter} of {}", say::namespace(namespace));
    Some(Proof::new(name, format!("+{increase}"), unit, source))
}

/// `MTU of eth0: 1500 bytes`.
pub(crate) fn setting(
    link: &Link,
    what: &str,
    value: impl ToString,
    unit: &'static str,
    source: &'static str,
) -> Proof {
    Proof::new(format!("{what} of {}", link.name), value, unit, source)
}

/// The kernel's release.
pub(crate) fn kernel(window: &Window<'_>) -> Proof {
    Proof::new("kernel", &window.node.kernel, "", "uname")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NODE, POD, ipv4_drops, link, window};

    fn lines(proofs: &[Proof]) -> Vec<(&str, &str)> {
        proofs
            .iter()
            .map(|proof| (&*proof.name, &*proof.value))
            .collect()
    }

    #[test]
    fn the_most_frequent_keys_are_shown_and_the_rest_is_added_up() {
        let keys = (1..=6)
            .map(|count| ipv4_drops(NODE, 2, "NO_SOCKET", "udp_rcv", count))
            .collect();
        let window = window(vec![link(NODE, 2, "eth0")], keys);
        let drops_of_window = window.drops.value().into_iter();
        let tally: Tally = drops_of_window
            .flat_map(|drops| drops.counts.iter().enumerate())
            .collect();
        let name = "NO_SOCKET at udp_rcv, dev eth0, 0x0800";
        assert_eq!(
            lines(&drops(&Window::of(&window), &tally)),
            [
                (name, "6"),
                (name, "5"),
                (name, "4"),
                (name, "3"),
                ("2 other combinations of reason, function and device", "3"),
            ]
        );
    }

    #[test]
    fn what_is_not_known_of_a_key_is_said_or_left_out() {
        let mut key = ipv4_drops(POD, 9, "", "", 1);
        key.ethertype = 0;
        let empty = window(Vec::new(), Vec::new());
        assert_eq!(
            key_name(&Window::of(&empty), &key),
            "dropped at a function that could not be named"
        );
    }

    #[test]
    fn a_counter_is_named_with_its_namespace_and_file() {
        let window = window(Vec::new(), Vec::new());
        let mut pod = window.namespaces[1].clone();
        for (counter, source) in [
            ("Tcp.RetransSegs", "/proc/net/snmp"),
            ("Udp6.InErrors", "/proc/net/snmp6"),
            ("TcpExt.TCPTimeouts", "/proc/net/netstat"),
            ("Conntrack.drop", "/proc/net/stat/nf_conntrack"),
        ] {
            assert_eq!(counter_rose(&pod, counter, ""), None);
            pod.counters.insert(counter.to_owned(), 7);
            let proof = counter_rose(&pod, counter, "").expect("it was read");
            assert_eq!(
                (proof.name, &*proof.value, &*proof.source),
                (format!("{counter} of pod shop/cart-0"), "+7", source)
            );
        }
    }
}
