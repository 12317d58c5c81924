use super::ConnectionTracking;
use crate::{
    EvidenceWindow, Window,
    causes::{HASH_CHAIN_FULL, INSERT_RACE, INVALID_DROPPED, SOURCE_PORTS_EXHAUSTED, TABLE_FULL},
    detectors::Detector,
    evidence::{Address, DropCount, PacketSample, TrackedConnections},
    finding::{Acts, Confidence, Harm, Outcome, Severity, Verdict},
    testing::{
        NODE, drops_of, first_drop_claimed, ipv4_drops, ipv4_sample, link, only, proofs, window,
    },
};

const SYN: u8 = 2;
const ACK: u8 = 16;

/// `count` packets that a verdict of netfilter ended in the node's namespace.
fn refused(count: u64, function: &str) -> DropCount {
    ipv4_drops(NODE, 2, "NETFILTER_DROP", function, count)
}

/// A node with these keys and these increases of its counters of connection tracking.
fn node(keys: Vec<DropCount>, counters: &[(&str, u64)]) -> EvidenceWindow {
    let mut window = window(vec![link(NODE, 2, "eth0")], keys);
    let counters = counters
        .iter()
        .map(|(name, value)| (format!("Conntrack.{name}"), *value));
    window.namespaces[0].counters = counters.collect();
    window
}

fn with_entries(mut window: EvidenceWindow, before: u64, after: u64) -> EvidenceWindow {
    window.settings.conntrack_max = Some(1_000);
    window.namespaces[0].connections = TrackedConnections {
        before: Some(before),
        after: Some(after),
    };
    window
}

fn judge(window: &EvidenceWindow) -> Outcome {
    ConnectionTracking.judge(&Window::of(window), &Outcome::default())
}

/// A segment of 10.0.0.1 to 10.0.0.2.
fn segment(source_port: u16, sequence: u32, flags: u8, payload: &[u8]) -> PacketSample {
    let mut bytes = source_port.to_be_bytes().to_vec();
    bytes.extend([0, 80]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    ipv4_sample(6, [10, 0, 0, 2], &bytes)
}

fn datagram() -> PacketSample {
    ipv4_sample(17, [10, 0, 0, 2], &[0x9c, 0x40, 0, 53, 0, 8, 0, 0])
}

/// The node has the address from which the samples come.
fn translating(mut window: EvidenceWindow) -> EvidenceWindow {
    window.namespaces[0].addresses = vec![Address {
        ifindex: 2,
        address: [10, 0, 0, 1].into(),
        prefix: 24,
    }];
    window
}

#[test]
fn a_full_table_lets_no_new_connection_through() {
    let full = node(vec![refused(52, "nf_hook_slow")], &[("drop", 52)]);
    let outcome = judge(&with_entries(full, 10, 1_000));
    let finding = only(&outcome);
    assert!(finding.cause.is(&TABLE_FULL));
    assert_eq!(finding.assessment.harm, Harm::Outage);
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(
        proofs(finding)[0],
        (
            "connections tracked in the node, at the start and the end, and their limit",
            "10, 1000 of 1000"
        )
    );
    let change = finding.remedies[0].change.as_ref().expect("a change");
    assert_eq!(change.acts, Acts::Now);
    assert_eq!(
        (
            finding.remedies[0].command.as_deref(),
            change.undo.as_deref()
        ),
        (
            Some("sysctl -w net.netfilter.nf_conntrack_max=2000"),
            Some("sysctl -w net.netfilter.nf_conntrack_max=1000")
        )
    );
    let claims: Vec<_> = outcome.claims.iter().map(|claim| claim.verdict).collect();
    assert_eq!(claims, [Verdict::Harmful]);
}

#[test]
fn a_table_that_was_full_for_a_moment_lost_packets() {
    let full = node(vec![refused(52, "nf_hook_slow")], &[("drop", 52)]);
    let outcome = judge(&with_entries(full.clone(), 10, 400));
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Loss);
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.confidence, Confidence::Likely);
    // Where the limit was not read, no number is proposed.
    let outcome = judge(&full);
    let changes = only(&outcome).remedies.iter();
    assert_eq!(changes.filter(|one| one.change.is_some()).count(), 0);
}

#[test]
fn evictions_tell_of_a_full_table_before_it_refuses() {
    let outcome = judge(&with_entries(
        node(Vec::new(), &[("early_drop", 40)]),
        1_000,
        1_000,
    ));
    let finding = only(&outcome);
    assert!(finding.cause.is(&TABLE_FULL));
    assert_eq!((finding.assessment.harm, finding.count), (Harm::Loss, 40));
    assert!(finding.text.headline.contains("removed 40 connections"));
}

#[test]
fn a_rule_beside_untouched_counters_is_none_of_this_check() {
    let ruled = vec![refused(30, "nft_do_chain"), refused(9, "nf_hook_slow")];
    assert!(judge(&node(ruled.clone(), &[])).findings.is_empty());
    assert!(
        judge(&node(ruled, &[("insert_failed", 3)]))
            .findings
            .is_empty()
    );
}

#[test]
fn a_rule_that_shares_the_function_keeps_its_packets() {
    // Before 6.7 both end at nf_hook_slow.
    let outcome = judge(&with_entries(
        node(vec![refused(900, "nf_hook_slow")], &[("drop", 100)]),
        1_000,
        1_000,
    ));
    assert_eq!(only(&outcome).count, 100);
    assert_eq!(outcome.claims.iter().count(), 0);
}

#[test]
fn a_chain_that_is_too_long_is_told_from_a_full_table() {
    let counters = [("drop", 0), ("insert_failed", 20), ("chainlength", 20)];
    let mut window = node(vec![refused(20, "nf_hook_slow")], &counters);
    window.settings.conntrack_buckets = Some(512);
    window.settings.conntrack_max = Some(4_096);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&HASH_CHAIN_FULL));
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("sysctl -w net.netfilter.nf_conntrack_buckets=4096")
    );
}

#[test]
fn connections_to_one_place_ran_out_of_source_ports() {
    let counters = [("drop", 16), ("insert_failed", 16)];
    let mut window = node(vec![refused(16, "nf_hook_slow")], &counters);
    drops_of(&mut window).samples = (1..=4).map(|n| segment(40_000, n, SYN, b"")).collect();
    // Not translated: the source is none of this namespace's addresses.
    assert!(judge(&window).findings.is_empty());
    let mut window = translating(window);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&SOURCE_PORTS_EXHAUSTED));
    assert_eq!(finding.severity(), Severity::Critical);
    assert!(finding.text.headline.contains("10.0.0.2:80 TCP"));
    // One connection that is tried again is no crowd.
    drops_of(&mut window).samples = vec![segment(40_000, 1, SYN, b""); 4];
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn datagrams_that_collide_raced() {
    let counters = [("drop", 2), ("insert_failed", 2)];
    let mut window = node(vec![refused(2, "nf_hook_slow")], &counters);
    drops_of(&mut window).samples = vec![datagram(); 2];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&INSERT_RACE));
    assert_eq!((finding.assessment.harm, finding.count), (Harm::Loss, 2));
}

#[test]
fn invalid_segments_of_a_connection_that_dies_are_an_outage() {
    let mut window = node(vec![refused(48, "nft_do_chain")], &[("invalid", 48)]);
    drops_of(&mut window).samples = vec![segment(40_000, 7, ACK, b"data"); 3];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&INVALID_DROPPED));
    assert_eq!(finding.severity(), Severity::Critical);
    assert!(!finding.assessment.is_decision());
    assert_eq!(finding.confidence, Confidence::Certain);
    // Late segments of closed connections: what the rule is there for.
    drops_of(&mut window).samples = vec![segment(40_000, 7, ACK, b""); 4];
    let outcome = judge(&window);
    assert!(only(&outcome).assessment.is_decision());
    assert_eq!(only(&outcome).severity(), Severity::Info);
}

#[test]
fn packets_that_open_a_connection_are_never_invalid() {
    let mut window = node(vec![refused(48, "nft_do_chain")], &[("invalid", 48)]);
    drops_of(&mut window).samples = vec![segment(40_000, 7, SYN, b""); 3];
    assert!(judge(&window).findings.is_empty());
    drops_of(&mut window).samples = Vec::new();
    assert!(judge(&window).findings.is_empty(), "nothing was seen");
}

#[test]
fn the_window_check_is_offered_only_where_it_is_on() {
    let mut window = node(vec![refused(48, "nft_do_chain")], &[("invalid", 48)]);
    drops_of(&mut window).samples = vec![segment(40_000, 7, ACK, b"data"); 3];
    let changes = |window: &EvidenceWindow| {
        let outcome = judge(window);
        let remedies = &only(&outcome).remedies;
        remedies.iter().filter(|one| one.change.is_some()).count()
    };
    assert_eq!(changes(&window), 0);
    window.namespaces[0].settings.conntrack_tcp_be_liberal = Some(false);
    assert_eq!(changes(&window), 1);
    window.namespaces[0].settings.conntrack_tcp_be_liberal = Some(true);
    assert_eq!(changes(&window), 0);
}

#[test]
fn what_another_check_explained_is_left_alone() {
    let window = node(vec![refused(48, "nft_do_chain")], &[("invalid", 48)]);
    let outcome = ConnectionTracking.judge(&Window::of(&window), &first_drop_claimed());
    assert!(outcome.findings.is_empty());
}
