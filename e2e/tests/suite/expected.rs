//! What a person must read of each fault and each healthy twin, on any kernel that can show it.

mod control_frames;

use netdiag_e2e::scenarios::WrongChecksums;
use serde_json::Value;

use crate::outcome::Outcome;

pub use control_frames::*;

/// Half-made checksums that arrive at pod `server`.
#[track_caller]
pub fn lost_checksum(made: &WrongChecksums, forwarder: u32, outcome: &Outcome) {
    assert_eq!(made.connected, 0);
    assert_eq!(made.udp, 50, "25 read at once and 25 after a poll");
    assert!(made.tcp >= 3, "{made:?}");
    let finding = outcome.finding_in("server", "ChecksumDrop", "PartialChecksumLost", "eth0");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(finding["count"], made.tcp + made.udp, "{finding:#}");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    assert_forwarder(finding, forwarder);
    assert_eq!(finding["subject"]["container"], "forwarder");
    let summary = finding["summary"].as_str().unwrap();
    assert!(summary.contains("eth0 of pod shop/client"), "{finding:#}");
    outcome.assert_explained("shop/server", "", "Tcp.InCsumErrors", made.tcp);
    outcome.assert_explained("shop/server", "", "Udp.InCsumErrors", made.udp);
    outcome.assert_balanced();
}

/// Half-made checksums that die at a rule against invalid packets.
#[track_caller]
pub fn lost_checksum_before_a_filter(made: &WrongChecksums, forwarder: u32, outcome: &Outcome) {
    assert_eq!(
        (made.connected, made.tcp, made.udp),
        (0, 0, 0),
        "no socket saw a packet"
    );
    assert!(made.filtered > 20, "{made:?}");
    let finding = outcome.finding("ChecksumDrop", "PartialChecksumLost", "mesh1");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["count"], made.filtered, "{finding:#}");
    assert_forwarder(finding, forwarder);
    let summary = finding["summary"].as_str().unwrap();
    assert!(summary.contains("pod shop/client"), "{finding:#}");
    outcome.assert_balanced();
}

/// Real corruption, which is no lost checksum.
#[track_caller]
pub fn broken_bytes(made: &WrongChecksums, outcome: &Outcome) {
    assert!(
        made.connected > 0 && made.tcp > 0 && made.udp > 0,
        "{made:?}"
    );
    let finding = outcome.finding_in("server", "ChecksumDrop", "Corruption", "eth0");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    let lost = |finding: &&Value| finding["cause"] == "PartialChecksumLost";
    assert_eq!(outcome.all().iter().find(lost), None);
    outcome.assert_explained("shop/server", "", "Udp.InCsumErrors", made.udp);
    outcome.assert_balanced();
    if outcome.has_no_reasons() {
        // tcp_drop of 5.10 frees without an event what an open connection refuses. The ledger must not hide it.
        let tcp = outcome.ledger("shop/server", "", "Tcp.InCsumErrors");
        assert_eq!(tcp.unwrap()["increase"], made.tcp, "{tcp:#?}");
        assert!(finding["count"].as_u64().unwrap() >= made.udp);
        return;
    }
    assert_eq!(finding["count"], made.tcp + made.udp, "{finding:#}");
    outcome.assert_explained("shop/server", "", "Tcp.InCsumErrors", made.tcp);
}

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
    assert!(outcome.alarming().is_empty(), "{:#?}", outcome.alarming());
    outcome.assert_balanced();
}

#[track_caller]
fn assert_forwarder(finding: &Value, pid: u32) {
    let forwarder = format!("netdiag-lab (pid {pid})");
    assert_eq!(finding["subject"]["process"], forwarder, "{finding:#}");
}
