//! Kernels that give no drop reasons: the namespace's counters tell.

use super::*;
use crate::{causes::UNSEEN, finding::Harm};

#[test]
fn without_reasons_the_counter_tells_what_tcp_freed_for_its_checksum() {
    let broken: Vec<Vec<u8>> = (1..=4)
        .map(|step| tcp_syn(0x5a5a ^ step, u32::from(step)))
        .collect();
    let mut window = window("", "tcp_v4_do_rcv", &broken, 2);
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings[0].cause.name(), "Corruption");
    assert_eq!(outcome.claims.len(), 1);

    // The counter rose by one: the other three went for some other reason, and which is not known.
    window.namespaces[2]
        .counters
        .insert("Tcp.InCsumErrors".to_owned(), 1);
    assert!(diagnose(&window).findings.is_empty());
}

#[test]
fn without_reasons_the_counter_tells_what_udp_freed_on_arrival() {
    let mut window = window("", "__udp4_lib_rcv", &half_made(4), 0);
    let mut set = |udp| {
        let server = &mut window.namespaces[2];
        server.counters = [("Udp.InCsumErrors".to_owned(), udp)].into();
        server.counters_before = [("Udp.InCsumErrors".to_owned(), 0)].into();
        diagnose(&window)
    };
    assert_eq!(set(4).findings[0].cause.name(), "PartialChecksumLost");
    assert_eq!(
        set(3).findings,
        [],
        "one was freed because it had no socket"
    );

    // Four more were verified late.
    let late = ipv4_drops(NODE, 0, "", "udp_recvmsg", 4);
    drops_of(&mut window).counts.push(DropCount {
        netns: None,
        ..late
    });
    let mut set = |udp| {
        let server = &mut window.namespaces[2];
        server.counters.insert("Udp.InCsumErrors".to_owned(), udp);
        diagnose(&window)
    };
    assert_eq!(set(4).findings, []);
    assert_eq!(set(8).findings[0].count, 4);
}

#[test]
fn what_tcp_freed_unseen_is_said() {
    let mut window = window("", "tcp_v4_rcv", &half_made(4), 2);
    drops_of(&mut window).has_reasons = false;
    let unseen = |window: &EvidenceWindow| {
        let entries = diagnose(window).unchecked;
        entries
            .into_iter()
            .find(|entry| entry.reason.contains("tcp_drop"))
    };
    assert_eq!(unseen(&window), None, "every one was seen");
    window.namespaces[2]
        .counters
        .insert("Tcp.InCsumErrors".to_owned(), 90);
    let entry = unseen(&window).unwrap();
    assert!(
        entry.is_made() && entry.reason.starts_with("TCP found 86 packets"),
        "{}",
        entry.reason
    );
    assert!(entry.reason.contains("in pod shop/server that"));
    let counted = |window: &EvidenceWindow| {
        let found = diagnose(window).findings;
        found.into_iter().find(|one| one.cause.is(&UNSEEN))
    };
    let finding = counted(&window).unwrap();
    assert_eq!((finding.assessment.harm, finding.count), (Harm::Loss, 86));
    assert!(finding.text.headline.contains("86 segments"));
    drops_of(&mut window).has_reasons = true;
    assert_eq!(unseen(&window), None, "the ledger leaves it unexplained");
    assert_eq!(counted(&window), None);
}
