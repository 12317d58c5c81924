//! Lost fragments, and what only looks like them.

use super::*;
use crate::finding::Confidence;

/// Each 10th fragment is lost: 10 of 20 datagrams stay incomplete, with 46 fragments.
fn loss() -> EvidenceWindow {
    let first = DropCount {
        ifindex: MEMBER,
        netns: Some(NODE),
        location: "ip_expire".into(),
        ..given_up(9)
    };
    let mut window = node(
        vec![first, given_up(37)],
        &[fragments(0, MEMBER, FIRST), fragments(1, MEMBER, 2_960)],
    );
    count(&mut window.namespaces[0], 10, 10);
    window.frame_copies = watched(Vec::new());
    window
}

/// Some frames come twice on one link: a last fragment that does opens its queue again.
fn duplication() -> EvidenceWindow {
    let mut window = node(
        vec![duplicates(MEMBER, 88), given_up(17)],
        &[fragments(0, MEMBER, FIRST), fragments(1, MEMBER, LAST)],
    );
    count(&mut window.namespaces[0], 88, 17);
    window.frame_copies = watched(Vec::new());
    window
}

#[test]
fn datagrams_that_stay_incomplete_are_counted_on_their_interface() {
    let outcome = diagnose(&loss());
    let finding = only(&outcome);
    assert_eq!(finding.cause.name(), "FragmentLoss");
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(finding.count, 10);
    assert_eq!(
        finding.text.headline,
        "10 datagrams from 10.84.0.73 to 239.77.0.15 stayed incomplete on lan0: fragments were lost on the way"
    );
    assert_eq!(outcome.claims.len(), 2);
    let hurts = &finding.text.hurts;
    assert!(
        hurts.starts_with("10 of 20 fragmented datagrams (50 %)"),
        "{hurts}"
    );
    assert!(finding.text.what.contains("net.ipv4.ipfrag_time, 30 s"));
}

/// IPv6 waits twice as long as IPv4.
#[test]
fn a_window_shorter_than_ipv6_waits_is_said_where_fragments_came() {
    let reasons = |window: &EvidenceWindow| -> Vec<String> {
        let unchecked = diagnose(window).unchecked.into_iter();
        unchecked.map(|entry| entry.reason).collect()
    };
    let mut window = loss();
    assert!(reasons(&window).is_empty(), "no fragment of IPv6 came");
    let reqds = "Ip6.ReasmReqds".to_owned();
    window.namespaces[0]
        .counters_before
        .insert(reqds.clone(), 0);
    window.namespaces[0].counters.insert(reqds, 12);
    let said = "IPv6 fragments came, and an incomplete datagram is given up after net.ipv6.ip6frag_time (60 s unless \
                changed): 35 s can miss it";
    assert_eq!(reasons(&window), [said]);
    window.duration_ms = 60_000;
    assert!(reasons(&window).is_empty());
}

#[test]
fn a_single_lost_fragment_is_no_warning() {
    let mut window = loss();
    count(&mut window.namespaces[0], 19, 1);
    assert_eq!(only(&diagnose(&window)).severity(), Severity::Info);
}

#[test]
fn duplicates_on_one_link_are_no_loss() {
    assert_eq!(diagnose(&duplication()).findings, []);
}

#[test]
fn one_duplicated_last_fragment_is_no_loss() {
    let mut window = node(vec![given_up(3)], &[fragments(0, MEMBER, LAST)]);
    count(&mut window.namespaces[0], 20, 3);
    window.frame_copies = watched(Vec::new());
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn more_failures_than_duplicates_explain_are_loss() {
    let mut window = duplication();
    let drops = drops_of(&mut window);
    drops.counts[0].count = 10;
    drops.counts[1].count = 160;
    drops.samples.extend(fragments(1, MEMBER, FIRST));
    count(&mut window.namespaces[0], 60, 40);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    // 40 of 100.
    assert_eq!(
        (finding.severity(), finding.count),
        (Severity::Critical, 40)
    );
    assert_eq!(finding.confidence, Confidence::Likely);
}

#[test]
fn fragments_refused_for_want_of_memory_are_neither_duplicates_nor_given_up() {
    let mut window = node(
        vec![ipv4_drops(NODE, MEMBER, "NOT_SPECIFIED", "ip_defrag", 300)],
        &[fragments(0, MEMBER, FIRST)],
    );
    count(&mut window.namespaces[0], 20, 300);
    window.namespaces[0]
        .counters
        .insert("Ip.ReasmTimeout".to_owned(), 1_000);
    window.frame_copies = watched(Vec::new());
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn the_namespace_that_counted_the_failures_is_named() {
    let mut window = loss();
    window.namespaces.swap(0, 1);
    let namespaces = &mut window.namespaces;
    let (pod, node) = (namespaces[0].clone(), namespaces[1].clone());
    namespaces[0].counters = node.counters;
    namespaces[0].counters_before = node.counters_before;
    namespaces[1].counters = pod.counters;
    for link in crate::testing::links_of(&mut window) {
        link.netns = pod.id;
    }
    drops_of(&mut window).counts[0].netns = Some(pod.id);
    let outcome = diagnose(&window);
    let subject = &only(&outcome).subject;
    assert_eq!(subject.interface.as_deref(), Some("lan0"));
    assert_eq!(subject.netns, Some(pod.id));
}
