//! What a person must read of each fault and each healthy twin, on any kernel that can show it.

mod checksums;
mod control_frames;
mod driver_messages;
mod drops;
mod fragments;
mod promiscuity;
mod segment_routing;
mod tap_queue;

use netdiag_e2e::scenarios::Work;
use serde_json::Value;

use crate::outcome::Outcome;

pub use checksums::*;
pub use control_frames::*;
pub use driver_messages::*;
pub use drops::*;
pub use fragments::*;
pub use promiscuity::*;
pub use segment_routing::*;
pub use tap_queue::*;

/// A veth whose end on the node is smaller; what the pod and the node counted.
#[track_caller]
pub fn unequal_mtu((sender, receiver): (u64, u64), outcome: &Outcome) {
    assert_eq!((sender, receiver), (50, 50));
    let found: Vec<_> = outcome
        .all()
        .iter()
        .filter(|finding| finding["check"] == "LinkMtu")
        .collect();
    let [finding] = found[..] else {
        panic!("{:#}", outcome.result)
    };
    assert_eq!(finding["cause"], "PeerMtuSmaller");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["count"], 50, "{finding:#}");
    let text = finding.to_string();
    for named in ["9000", "1500", "veth-jumbo", "jumbo"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    outcome.assert_explained("shop/jumbo", "eth0", "tx_dropped", 50);
    outcome.assert_explained("", "veth-jumbo", "rx_dropped", 50);
    outcome.assert_balanced();
}

/// Pods that talked through `cni0` as they should.
#[track_caller]
pub fn healthy_pods(outcome: &Outcome) {
    let bridge = outcome.finding("Promiscuity", "BridgePort", "cni0");
    assert!(
        bridge.to_string().contains("veth-server"),
        "the agent saw the pods: {bridge:#}"
    );
    let checksum = |finding: &&Value| finding["check"] == "ChecksumDrop";
    assert_eq!(outcome.all().iter().find(checksum), None);
    assert_harmless(outcome);
}

/// Pods that resolved names and sent over both IP versions while others came and went.
#[track_caller]
pub fn busy_node(work: &Work, outcome: &Outcome) {
    assert_eq!(work.answered, work.asked, "{work:?}");
    assert!(
        work.asked > 100 && work.sent > 200_000 && work.sent_by_v6 > 200_000,
        "{work:?}"
    );
    healthy_pods(outcome);
}

/// A capture on `veth-server`: named with its process, harmless.
#[track_caller]
pub fn capture(pid: u32, outcome: &Outcome) {
    let of_socket = |finding: &&Value| finding["cause"] == "PacketSocket";
    let finding = outcome.all().iter().find(of_socket);
    let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
    assert_eq!(finding["severity"], "Info");
    assert_eq!(finding["subject"]["interface"], "veth-server");
    let process = format!("netdiag-lab (pid {pid})");
    assert_eq!(finding["subject"]["process"], process);
    assert_harmless(outcome);
}

/// Nothing of Warning or worse, and a ledger that balances.
#[track_caller]
pub fn assert_harmless(outcome: &Outcome) {
    let alarming = outcome.alarming();
    // For the score of a run in guests.
    println!("HARMLESS {}", alarming.len());
    assert!(alarming.is_empty(), "{alarming:#?}");
    outcome.assert_balanced();
}
