//! Programs between the sender and the receiver.

use super::*;
use crate::evidence::LinkKind;

/// A TUN device of the node's, and the process that holds it.
fn add_tun(window: &mut EvidenceWindow, pid: u32, ifindex: u32, name: &str, passed: (u64, u64)) {
    links_of(window).push(Link {
        kind: Some(LinkKind::Tun),
        stats_before: Some(LinkStats::default()),
        stats: LinkStats {
            tx_packets: passed.0,
            rx_packets: passed.1,
            ..LinkStats::default()
        },
        ..link(NODE, ifindex, name)
    });
    let holders = std::mem::take(&mut window.tun_holders);
    let mut holders = holders.value().cloned().unwrap_or_default();
    holders.push(TunHolder {
        device: name.to_owned(),
        netns: NODE,
        owner: owner(pid, "service"),
    });
    window.tun_holders = complete(holders);
}

fn tun_window() -> EvidenceWindow {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    window.packet_sockets = complete(Vec::new());
    window
}

fn between(finding: &Finding) -> Vec<&str> {
    let details = finding.details.iter();
    details
        .filter(|(name, _)| *name == "Between")
        .map(|(_, text)| text.as_str())
        .collect()
}

#[test]
fn a_program_before_a_router_is_named_as_possible() {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    links_of(&mut window).push(offloading(NODE, 12, "mesh0", (NODE, 13)));
    window.packet_sockets = complete(vec![socket(400, 10), socket(400, 12)]);
    let finding = &diagnose(&window).findings[0];
    assert_eq!(finding.subject.process, None);
    let between = "service (pid 400): packet sockets on m0, mesh0 (possibly)";
    assert!(finding.details.contains(&("Between", between.to_owned())));
}

#[test]
fn a_program_before_a_router_that_carried_the_packets_most_likely_lost_them() {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    links_of(&mut window).push(offloading(NODE, 12, "mesh0", (NODE, 13)));
    links_of(&mut window).push(offloading(NODE, 13, "mesh1", (NODE, 12)));
    window.packet_sockets = complete(vec![socket(400, 10), socket(400, 12)]);
    for link in links_of(&mut window) {
        link.stats.rx_packets = if link.name == "m0" { 4 } else { 0 };
        link.stats.tx_packets = if link.name == "mesh0" { 4 } else { 0 };
    }
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    assert_eq!(
        finding.subject.process.as_deref(),
        Some("service (pid 400)")
    );
    assert!(
        finding
            .text
            .what
            .contains("Most likely service (pid 400) passes")
    );
    assert!(between(finding)[0].ends_with("(most likely)"));
    // What came in on one socket went out on the same one: another program sent it.
    for link in links_of(&mut window) {
        link.stats.tx_packets = link.stats.rx_packets;
    }
    assert_eq!(diagnose(&window).findings[0].subject.process, None);
}

#[test]
fn an_idle_program_that_packets_could_be_routed_to_is_named_as_possible() {
    let mut window = tun_window();
    add_tun(&mut window, 500, 12, "tun0", (3, 4));
    add_tun(&mut window, 500, 13, "tun1", (0, 0));
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    assert_eq!(finding.subject.process, None);
    assert_eq!(
        between(finding),
        ["service (pid 500): TUN devices tun0, tun1 (possibly)"]
    );
}

#[test]
fn the_one_program_that_packets_were_routed_through_is_named() {
    let mut window = tun_window();
    add_tun(&mut window, 500, 12, "tun0", (4, 0));
    add_tun(&mut window, 500, 13, "tun1", (0, 4));
    // Another that did not pass so many.
    add_tun(&mut window, 600, 14, "vpn0", (3, 90));
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    assert_eq!(
        finding.subject.process.as_deref(),
        Some("service (pid 500)")
    );
    assert_eq!(between(finding).len(), 1);
}

#[test]
fn a_program_in_a_pod_that_packets_were_routed_through_is_named() {
    const GATEWAY: NetnsId = NetnsId(9);
    let mut window = tun_window();
    links_of(&mut window).push(offloading(NODE, 20, "veth-gateway", (GATEWAY, 2)));
    links_of(&mut window).push(offloading(GATEWAY, 2, "eth0", (NODE, 20)));
    add_tun(&mut window, 500, 12, "tun0", (4, 4));
    links_of(&mut window).last_mut().unwrap().netns = GATEWAY;
    let outcome = diagnose(&window);
    assert_eq!(
        outcome.findings[0].subject.process.as_deref(),
        Some("service (pid 500)")
    );
    // One that passed fewer is not even possible.
    links_of(&mut window).last_mut().unwrap().stats.rx_packets = 3;
    assert!(between(&diagnose(&window).findings[0]).is_empty());
}

#[test]
fn of_two_alike_none_is_blamed() {
    let mut window = tun_window();
    add_tun(&mut window, 500, 12, "tun0", (4, 4));
    add_tun(&mut window, 600, 14, "vpn0", (90, 90));
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings[0].subject.process, None);
    assert_eq!(between(&outcome.findings[0]).len(), 2);

    let sockets = [400, 500].map(|pid| [socket(pid, 10), socket(pid, 11)]);
    window.packet_sockets = complete(sockets.concat());
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings[0].subject.process, None);
    assert!(
        between(&outcome.findings[0])
            .iter()
            .all(|text| text.ends_with("(possibly)"))
    );
}

#[test]
fn programs_beyond_the_fifth_are_counted() {
    let mut window = tun_window();
    for nth in 0..7 {
        add_tun(
            &mut window,
            500 + nth,
            20 + nth,
            &format!("tun{nth}"),
            (4, 4),
        );
    }
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    let between = between(finding);
    assert_eq!(between.len(), 6);
    assert_eq!(between[5], "2 more processes (possibly)");
    let named = finding.evidence.iter();
    let named = named.filter(|proof| proof.name.starts_with("service (pid"));
    assert_eq!(named.count(), 5);
}
