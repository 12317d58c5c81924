//! The facts of a node by which a fleet compares its nodes: what it runs, and what it is wired to.

use std::collections::BTreeMap;

use netdiag_crds::{
    limits,
    report::{Fact, Finding, fact},
};
use netdiag_diagnosis::{EvidenceWindow, evidence::Link};

use super::text::{cut, escaped};

/// The names of switches that are kept. Two are usual, one a cable.
const SWITCHES: usize = 4;
/// A window of this length hears every switch that announces itself at LLDP's default interval (IEEE 802.1AB,
/// msgTxInterval).
const ALL_HEARD_SECONDS: i32 = 30;

/// The facts that a window has shown, most telling first.
pub fn facts(window: &EvidenceWindow, findings: &[Finding]) -> Vec<Fact> {
    let node = &window.node;
    let of_node = [
        (fact::KERNEL, Some(node.kernel.as_str())),
        (fact::OS_IMAGE, node.os_image.as_deref()),
    ];
    let of_node = of_node.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(fact(name.to_owned(), escaped(value)))
    });
    let mut all: Vec<Fact> = of_node.chain(switches(findings)).collect();
    let node = window.node_namespace().map(|namespace| namespace.id);
    let own = || {
        window
            .links()
            .iter()
            .filter(move |link| Some(link.netns) == node)
    };
    let mode = |link: &Link| Some(link.bond.as_ref()?.mode.clone());
    all.extend(by_value(fact::BOND_MODE, own(), mode));
    let nics = || own().filter(|link| is_nic(link));
    all.extend(by_value(fact::DRIVER, nics(), |link| link.driver.clone()));
    let firmware = |link: &Link| {
        let (driver, firmware) = (link.driver.as_ref()?, link.firmware.as_ref()?);
        Some(format!("{driver} {firmware}"))
    };
    all.extend(by_value(fact::FIRMWARE, nics(), firmware));
    all.extend(by_value(fact::MTU, nics(), |link| {
        Some(link.mtu.to_string())
    }));
    all.truncate(limits::FACTS);
    all
}

fn fact(mut name: String, mut value: String) -> Fact {
    cut(&mut name, limits::WORD);
    cut(&mut value, limits::LINE);
    Fact { name, value }
}

/// A physical device that is switched on: virtual ones have a kind, and the loopback device has no driver.
fn is_nic(link: &Link) -> bool {
    link.kind.is_none() && link.driver.is_some() && link.is_up()
}

/// One fact a value, named after the devices that have it: `driver eth0,eth1`.
fn by_value<'a>(
    kind: &str,
    links: impl Iterator<Item = &'a Link>,
    value: impl Fn(&Link) -> Option<String>,
) -> Vec<Fact> {
    let mut devices: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for link in links {
        if let Some(value) = value(link) {
            devices.entry(value).or_default().push(&link.name);
        }
    }
    devices
        .into_iter()
        .map(|(value, mut names)| {
            names.sort_unstable();
            let name = format!("{kind} {}", names.join(","));
            fact(escaped(&name), escaped(&value))
        })
        .collect()
}

fn switches(findings: &[Finding]) -> impl Iterator<Item = Fact> {
    let heard = findings.iter().flat_map(|finding| &finding.neighbours);
    let mut names: Vec<&String> = heard.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.into_iter().take(SWITCHES);
    names.map(|name| fact(fact::SWITCH.to_owned(), name.clone()))
}

/// The facts of a window of so many seconds after those that were known before: switches stay known when it heard none,
/// or was too short to hear them all.
pub fn with_former(facts: Vec<Fact>, former: &[Fact], seconds: i32) -> Vec<Fact> {
    let is_switch = |one: &Fact| one.name == fact::SWITCH;
    let (mut switches, mut others): (Vec<Fact>, Vec<Fact>) = facts.into_iter().partition(is_switch);
    if switches.is_empty() || seconds < ALL_HEARD_SECONDS {
        switches.extend(former.iter().filter(|one| is_switch(one)).cloned());
        switches.sort_by(|a, b| a.value.cmp(&b.value));
        switches.dedup();
        switches.truncate(SWITCHES);
    }
    let is_of_node = |one: &Fact| [fact::KERNEL, fact::OS_IMAGE].contains(&one.name.as_str());
    let place = others.iter().take_while(|one| is_of_node(one)).count();
    others.splice(place..place, switches);
    others.truncate(limits::FACTS);
    others
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::{
        evidence::{BondSettings, LinkKind, Namespace, NetnsId, NodeFacts, Observed},
        uapi::flags::IFF_UP,
    };

    use super::*;

    const NODE: NetnsId = NetnsId(1);

    fn nic(name: &str, driver: &str, firmware: Option<&str>, mtu: u32) -> Link {
        Link {
            netns: NODE,
            name: name.to_owned(),
            driver: Some(driver.to_owned()),
            firmware: firmware.map(str::to_owned),
            mtu,
            requested_flags: IFF_UP,
            ..Link::default()
        }
    }

    fn window(links: Vec<Link>) -> EvidenceWindow {
        EvidenceWindow {
            node: NodeFacts {
                kernel: "6.1.0".to_owned(),
                os_image: Some("Debian GNU/Linux 12 (bookworm)".to_owned()),
                ..NodeFacts::default()
            },
            duration_ms: 35_000,
            namespaces: vec![Namespace {
                id: NODE,
                is_node: true,
                ..Namespace::default()
            }],
            links: Observed::Complete { value: links },
            ..EvidenceWindow::default()
        }
    }

    fn heard(names: &[&str]) -> Vec<Finding> {
        vec![Finding {
            neighbours: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Finding::default()
        }]
    }

    fn texts(facts: &[Fact]) -> Vec<String> {
        let texts = facts
            .iter()
            .map(|one| format!("{}: {}", one.name, one.value));
        texts.collect()
    }

    #[test]
    fn a_node_is_described_by_its_system_its_switches_and_its_nics() {
        let bond = Link {
            netns: NODE,
            name: "bond0".to_owned(),
            kind: Some(LinkKind::Bond),
            driver: Some("bonding".to_owned()),
            bond: Some(BondSettings {
                mode: "802.3ad".to_owned(),
                active_slave: None,
            }),
            ..Link::default()
        };
        let in_a_pod = Link {
            netns: NetnsId(2),
            ..nic("eth9", "veth", None, 9000)
        };
        let off = Link {
            requested_flags: 0,
            ..nic("eth8", "e1000", None, 1500)
        };
        let lo = Link {
            driver: None,
            ..nic("lo", "", None, 65_536)
        };
        let links = vec![
            nic("eth1", "mlx5_core", Some("14.32.1010"), 9000),
            nic("eth0", "mlx5_core", Some("14.32.1010"), 9000),
            nic("eth2", "igb", None, 1500),
            bond,
            in_a_pod,
            off,
            lo,
        ];
        let facts = facts(&window(links), &heard(&["leaf-3b", "leaf-3a"]));
        assert_eq!(
            texts(&facts),
            [
                "kernel: 6.1.0",
                "OS image: Debian GNU/Linux 12 (bookworm)",
                "switch: leaf-3a",
                "switch: leaf-3b",
                "bond mode bond0: 802.3ad",
                "driver eth2: igb",
                "driver eth0,eth1: mlx5_core",
                "firmware eth0,eth1: mlx5_core 14.32.1010",
                "MTU eth2: 1500",
                "MTU eth0,eth1: 9000",
            ]
        );
    }

    #[test]
    fn switches_stay_known_until_a_whole_window_hears_others() {
        let facts_of = |names: &[&str]| facts(&window(Vec::new()), &heard(names));
        let known = facts_of(&["leaf-3a", "leaf-3b"]);
        let after = |seconds, names: &[&str]| {
            let facts = with_former(facts_of(names), &known, seconds);
            assert_eq!(facts[0].name, fact::KERNEL);
            let switches = facts.into_iter().filter(|one| one.name == fact::SWITCH);
            switches.map(|one| one.value).collect::<Vec<_>>()
        };
        assert_eq!(after(35, &[]), ["leaf-3a", "leaf-3b"]);
        assert_eq!(after(5, &["leaf-3a"]), ["leaf-3a", "leaf-3b"]);
        assert_eq!(after(5, &["leaf-4a"]), ["leaf-3a", "leaf-3b", "leaf-4a"]);
        assert_eq!(after(35, &["leaf-4a"]), ["leaf-4a"]);
    }

    #[test]
    fn facts_are_bounded_and_printable() {
        let links = (0..64).map(|number| {
            let driver = format!("\u{1b}[2J{number}");
            nic(
                &format!("a-long-name-{number:03}"),
                &driver,
                Some("1"),
                number,
            )
        });
        let facts = facts(&window(links.collect()), &[]);
        assert_eq!(facts.len(), limits::FACTS);
        for one in &facts {
            assert!(one.name.chars().count() <= limits::WORD);
            assert!(!one.value.contains('\u{1b}'));
        }
        let many = (0..64).map(|number| nic(&format!("eth{number}"), "igb", None, 1500));
        let facts = super::facts(&window(many.collect()), &[]);
        assert_eq!(facts.len(), 4, "{facts:?}");
        assert_eq!(facts[2].name.chars().count(), limits::WORD);
    }
}
