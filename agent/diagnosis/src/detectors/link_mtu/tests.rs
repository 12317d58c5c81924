//! MTU 9000 against 1500: 119 packets at `__dev_forward_skb2`, tx_dropped +119, the peer's rx_dropped +119.

use super::LinkMtu;
use crate::{
    Settings, Window,
    detectors::{Detector, recorded},
    evidence::{DropCount, EvidenceWindow, Link, LinkStats, NetnsId, PacketSample},
    finding::{Confidence, Harm, Outcome, Severity},
    kernel::Function,
    testing::{
        NODE, POD, drops_of, ipv4_drops, ledger, link, links_of, only, unavailable, veth, window,
    },
    uapi::flags::IFF_UP,
};

const LOST: u64 = 119;

fn end(netns: NetnsId, ifindex: u32, name: &str, mtu: u32, peer: (NetnsId, u32)) -> Link {
    Link {
        mtu,
        requested_flags: IFF_UP,
        stats_before: Some(LinkStats::default()),
        ..veth(link(netns, ifindex, name), peer)
    }
}

fn sample(length: u32) -> PacketSample {
    PacketSample {
        length: length + 14,
        has_link_header: true,
        truncated: true,
        ..PacketSample::default()
    }
}

/// A pod's a0 with MTU 9000 and the node's b0 with 1500; `lengths` are the sampled IP packets.
fn faulty(lengths: &[u32]) -> EvidenceWindow {
    let mut a0 = end(POD, 2, "a0", 9000, (NODE, 7));
    a0.stats.tx_dropped = LOST;
    let mut b0 = end(NODE, 7, "b0", 1500, (POD, 2));
    b0.stats.rx_dropped = LOST;
    let refused = DropCount {
        first_ms: 10,
        last_ms: 900,
        ..ipv4_drops(POD, 2, "NOT_SPECIFIED", "__dev_forward_skb2", LOST)
    };
    let mut window = window(vec![b0, a0], vec![refused]);
    drops_of(&mut window).samples = lengths.iter().map(|length| sample(*length)).collect();
    window
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    LinkMtu.diagnose(&Window::of(window), &Outcome::default())
}

#[test]
fn packets_above_the_peers_mtu_are_a_critical_loss() {
    let outcome = diagnose(&faulty(&[8972, 3000]));
    let finding = only(&outcome);
    assert_eq!(
        finding.text.headline,
        "a0 of pod shop/cart-0 (MTU 9000) sends packets that its veth peer b0 (MTU 1500) refuses: 119 packets lost"
    );
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(
        (finding.count, finding.first_ms, finding.last_ms),
        (LOST, 10, 900)
    );
    assert_eq!(finding.evidence[0].value, "3000 to 8972");
    assert_eq!(outcome.claims.len(), 1);
    assert!(outcome.unchecked.is_empty());
}

#[test]
fn each_end_is_fixed_in_its_own_namespace() {
    let outcome = diagnose(&faulty(&[8972]));
    let commands: Vec<Option<&str>> = outcome.findings[0]
        .remedies
        .iter()
        .map(|remedy| remedy.command.as_deref())
        .collect();
    assert_eq!(
        commands,
        [
            Some(
                r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" ip link set dev a0 mtu 1500"#
            ),
            Some("ip link set dev b0 mtu 9000"),
        ]
    );
    let changes = outcome.findings[0]
        .remedies
        .iter()
        .map(|remedy| remedy.change.as_ref());
    let undos: Vec<_> = changes
        .map(|change| change.and_then(|change| change.undo.as_deref()))
        .collect();
    assert_eq!(
        undos,
        [
            Some(
                r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" ip link set dev a0 mtu 9000"#
            ),
            Some("ip link set dev b0 mtu 1500"),
        ]
    );
}

#[test]
fn a_hostile_interface_name_gets_no_command() {
    let mut window = faulty(&[8972]);
    links_of(&mut window)[1].name = "a0;reboot".to_owned();
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings[0].remedies[0].command, None);
}

#[test]
fn unequal_mtus_without_a_loss_are_silent() {
    let mut window = faulty(&[]);
    drops_of(&mut window).counts.clear();
    assert!(diagnose(&window).findings.is_empty());
}

#[test]
fn a_drop_of_packets_that_fit_is_another_fault() {
    // The limit is MTU + Ethernet header + one VLAN tag: 1504 bytes of payload still pass.
    let outcome = diagnose(&faulty(&[1504, 900]));
    assert!(outcome.findings.is_empty());
    assert!(outcome.claims.is_empty());
    assert_eq!(diagnose(&faulty(&[1505])).findings.len(), 1);
}

#[test]
fn a_drop_of_the_smaller_end_is_another_fault() {
    let mut window = faulty(&[8972]);
    drops_of(&mut window).counts[0].netns = Some(NODE);
    drops_of(&mut window).counts[0].ifindex = 7;
    assert!(diagnose(&window).findings.is_empty());
}

#[test]
fn a_longer_packet_dropped_elsewhere_is_another_fault() {
    let mut window = faulty(&[8972]);
    drops_of(&mut window).counts[0].location = "__dev_queue_xmit".into();
    assert!(diagnose(&window).findings.is_empty());
}

#[test]
fn without_function_names_the_length_makes_it_likely() {
    let mut window = faulty(&[8972]);
    drops_of(&mut window).counts[0].location = Function::default();
    assert_eq!(diagnose(&window).findings[0].confidence, Confidence::Likely);
    let mut unsampled = faulty(&[]);
    drops_of(&mut unsampled).counts[0].location = Function::default();
    assert!(diagnose(&unsampled).findings.is_empty());
}

#[test]
fn without_the_drop_probe_counters_that_rose_together_make_it_possible() {
    let mut window = faulty(&[]);
    window.drops = unavailable("no CAP_BPF");
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.confidence, Confidence::Possible);
    assert_eq!(finding.count, LOST);
    assert_eq!(finding.assessment.harm, Harm::Loss);
    assert!(
        finding
            .remedies
            .iter()
            .all(|remedy| remedy.change.is_none())
    );
    assert!(outcome.unchecked[0].is_made());
}

#[test]
fn an_outage_needs_a_packet_that_was_too_long() {
    let outcome = diagnose(&faulty(&[]));
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Loss);
    assert!(finding.text.headline.contains("seems to refuse"));
    let outcome = diagnose(&faulty(&[8972]));
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Outage);
    assert!(
        finding
            .text
            .hurts
            .contains("No packet longer than 1500 bytes")
    );
}

#[test]
fn a_receiver_that_is_down_is_another_fault() {
    let down = |mut window: EvidenceWindow| {
        links_of(&mut window)[0].requested_flags = 0;
        window
    };
    assert_eq!(diagnose(&down(faulty(&[]))).findings, []);
    assert_eq!(diagnose(&down(faulty(&[900]))).findings, []);
    let mut counters = down(faulty(&[]));
    counters.drops = unavailable("no CAP_BPF");
    assert_eq!(diagnose(&counters).findings, []);
    // Packets that were too long are proof, whatever the receiver is now.
    assert_eq!(diagnose(&down(faulty(&[8972]))).findings.len(), 1);
}

#[test]
fn without_links_nothing_is_checked() {
    let mut window = faulty(&[8972]);
    window.links = unavailable("netlink refused");
    let outcome = diagnose(&window);
    assert!(outcome.findings.is_empty());
    assert!(!outcome.unchecked[0].is_made());
}

#[test]
fn a_recorded_loss_is_found_and_balances_both_ends() {
    let window = recorded::window(include_str!("testdata/6.18_veth_9000_1500.json"));
    let diagnosis = crate::diagnose(&window, &Settings::default());
    let finding = &diagnosis.findings[0];
    assert_eq!(
        finding.id.as_str(),
        "LinkMtu/PeerMtuSmaller/sender/a0",
        "{}",
        finding.text.headline
    );
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(finding.count, 60);
    // 4000 bytes of UDP, its header and IP's.
    assert_eq!(finding.evidence[0].value, "4028");
    assert_eq!(
        ledger(&diagnosis),
        [
            (Some("b0"), "rx_dropped", 60, 60, 0),
            (Some("a0"), "tx_dropped", 60, 60, 0)
        ]
    );
}
