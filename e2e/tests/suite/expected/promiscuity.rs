//! Why devices are promiscuous.

use std::collections::BTreeMap;

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios;
use serde_json::Value;

use super::{assert_harmless, follow_remedy};
use crate::outcome::Outcome;

/// Cause, device and severity of each promiscuity finding about the node's own devices, sorted.
pub fn promiscuity(outcome: &Outcome) -> Vec<(&str, &str, &str)> {
    let ours = |finding: &&Value| {
        finding["check"] == "Promiscuity" && finding["subject"]["netns"].is_null()
    };
    let mut found: Vec<_> = outcome
        .all()
        .iter()
        .filter(ours)
        .map(|finding| {
            (
                finding["cause"].as_str().unwrap_or_default(),
                finding["subject"]["interface"].as_str().unwrap_or_default(),
                finding["severity"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    found.sort_unstable();
    found
}

/// Devices that are promiscuous for the reasons that every kernel has, and the kernel's count of each.
#[track_caller]
pub fn promiscuous_devices(counted: &BTreeMap<String, u64>, captures: [u32; 2], outcome: &Outcome) {
    for (device, users) in [("nic0", 4), ("lower0", 1), ("shared0", 1)] {
        assert_eq!(counted.get(device), Some(&users), "{device}");
    }
    assert_eq!(counted.get("quiet0"), None);
    let all = promiscuity(outcome);
    for found in [
        ("BridgePort", "nic0", "Info"),
        ("MacvlanPassthru", "lower0", "Info"),
        ("PacketSocket", "nic0", "Info"),
        ("UnicastFilter", "shared0", "Info"),
        ("UserRequest", "nic0", "Info"),
    ] {
        assert!(all.contains(&found), "{found:?} is not in {all:?}");
    }
    let sockets = outcome.finding("Promiscuity", "PacketSocket", "nic0");
    let text = sockets.to_string();
    for pid in captures {
        let process = format!("netdiag-lab (pid {pid})");
        assert!(text.contains(&process), "{process} is not in {sockets:#}");
    }
    let sum = "4 = 1 bridge + 1 user + 2 sockets";
    assert!(text.contains(sum), "{sockets:#}");
    assert_harmless(outcome);
}

/// What the findings say to do is done: one user less on `nic0`, none on `lower0`.
#[track_caller]
pub fn remedies_end_promiscuity(node: &Node, outcome: &Outcome) {
    for (cause, device) in [("UserRequest", "nic0"), ("MacvlanPassthru", "lower0")] {
        follow_remedy(outcome.finding("Promiscuity", cause, device), node);
    }
    let counted = scenarios::promiscuity(node).unwrap();
    assert_eq!(counted.get("nic0"), Some(&3));
    assert_eq!(counted.get("lower0"), None);
}
