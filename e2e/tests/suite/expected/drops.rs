//! Drops that the table of `OtherDrop` explains.

use std::ops::RangeInclusive;

use netdiag_e2e::scenarios::{Overflowed, Overrun, Refused};
use serde_json::Value;

use crate::outcome::{Outcome, is_nearly};

/// Five reasons in one window, each told by its number and its meaning.
#[track_caller]
pub fn refusals(made: &Refused, outcome: &Outcome) {
    for (sent, counted) in [
        made.forged,
        made.to_nowhere,
        made.against_policy,
        made.to_closed_port,
    ] {
        assert_eq!(sent, counted, "{made:?}");
    }
    let refused = |cause: &str, count: u64, severity: &str, means: &str| {
        let finding = outcome.finding("OtherDrop", cause, "veth-client");
        assert_eq!(finding["count"], count, "{finding:#}");
        assert_eq!(finding["severity"], severity, "{finding:#}");
        let summary = finding["summary"].as_str().unwrap();
        assert!(summary.contains(means), "{means:?} is not in {finding:#}");
        finding
    };
    if outcome.has_no_reasons() {
        refused(
            "ip_rcv_finish_core",
            made.forged.0,
            "Warning",
            "reverse path filter",
        );
        refused(
            "nf_hook_slow",
            made.against_policy.0,
            "Info",
            "packet filter rule",
        );
        // One function refuses what has no route and what has one that refuses.
        let unrouted = made.to_nowhere.0 + made.to_blackhole;
        refused("ip_error", unrouted, "Warning", "no route");
        refused(
            "__udp4_lib_rcv",
            made.to_closed_port.0,
            "Info",
            "no program listens",
        );
    } else {
        let forged = refused(
            "IP_RPFILTER",
            made.forged.0,
            "Warning",
            "reverse path filter",
        );
        assert!(forged.to_string().contains("10.81.9.7"), "{forged:#}");
        refused("ip_error", made.to_blackhole, "Info", "blackhole");
        refused("IP_INNOROUTES", made.to_nowhere.0, "Warning", "no route");
        refused(
            "NETFILTER_DROP",
            made.against_policy.0,
            "Info",
            "packet filter rule",
        );
        refused(
            "NO_SOCKET",
            made.to_closed_port.0,
            "Info",
            "no program listens",
        );
    }
    assert_alarming(outcome, 2);
}

/// A program that neither reads nor accepts.
#[track_caller]
pub fn hung_program(made: &Overflowed, outcome: &Outcome) {
    assert!(made.datagrams > 100 && made.connections > 5, "{made:?}");
    let reason = if outcome.has_no_reasons() {
        "udp_queue_rcv_one_skb"
    } else {
        "SOCKET_RCVBUFF"
    };
    let finding = outcome.finding_in("server", "OtherDrop", reason, "eth0");
    assert_eq!(finding["count"], made.datagrams, "{finding:#}");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    let text = finding.to_string();
    assert!(text.contains("receive buffer was full"), "{finding:#}");
    assert!(text.contains("10.82.0.2:5000"), "the flow: {finding:#}");
    let overflow = |finding: &&Value| finding["cause"] == "ListenOverflows";
    let finding = outcome.all().iter().find(overflow);
    let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
    // Clients ask again after the scenario's last look, and what a drop event tells of is not told of twice.
    let count = finding["count"].as_u64().unwrap();
    let plausible = made.connections / 2..=made.connections * 2;
    assert!(plausible.contains(&count), "{made:?} {finding:#}");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    assert_alarming(outcome, 2);
}

/// Connections that could not be tracked: how many packets were sent, and how many of them refused.
#[track_caller]
pub fn full_connections((sent, refused): (u64, u64), outcome: &Outcome) {
    assert!(refused > sent / 2, "{refused} of {sent}");
    let cause = if outcome.has_no_reasons() {
        "nf_hook_slow"
    } else {
        "NETFILTER_DROP"
    };
    let finding = outcome.finding("OtherDrop", cause, "veth-client");
    assert_eq!(finding["count"], refused, "{finding:#}");
    assert_eq!(finding["severity"], "Warning");
    let text = finding.to_string();
    assert!(text.contains("tracked connections was full"), "{finding:#}");
    assert_alarming(outcome, 1);
}

/// Datagrams to so many addresses that nobody has, with room for a few.
#[track_caller]
pub fn full_neighbours(sent: u64, outcome: &Outcome) {
    let cause = if outcome.has_no_reasons() {
        "ip_finish_output2"
    } else {
        "NEIGH_CREATEFAIL"
    };
    let finding = outcome.finding("OtherDrop", cause, "veth-client");
    // The kernel's ICMP errors to itself need neighbours as well.
    let alarming = outcome.alarming();
    assert!(
        alarming.iter().all(|one| one["cause"] == cause),
        "{alarming:#?}"
    );
    let count = finding["count"].as_u64().unwrap();
    assert!((sent / 2..=sent).contains(&count), "{finding:#}");
    assert_eq!(finding["severity"], "Warning");
    let text = finding.to_string();
    assert!(text.contains("neighbour table is full"), "{finding:#}");
    outcome.assert_balanced();
}

/// A burst that found the queue of its CPU full.
#[track_caller]
pub fn full_backlog(made: &Overrun, outcome: &Outcome) {
    assert!(made.of_cpus > 20 && made.received > 20, "{made:?}");
    assert_eq!(
        made.sent, made.received,
        "a veth counts them at both its ends"
    );
    let of_backlog = |finding: &&Value| finding["cause"] == "BacklogFull";
    let finding = outcome.all().iter().find(of_backlog);
    let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["count"], made.of_cpus, "{finding:#}");
    let text = finding.to_string();
    for named in ["veth-client", "CPU 0", "netdev_max_backlog"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    outcome.assert_explained("shop/client", "eth0", "tx_dropped", made.sent);
    outcome.assert_explained("", "veth-client", "rx_dropped", made.received);
    assert_alarming(outcome, 1);
}

/// Packets that netem has lost on `veth-server`, the least and the most.
#[track_caller]
pub fn loss_in_a_queueing_discipline(lost: &RangeInclusive<u64>, outcome: &Outcome) {
    assert!(*lost.start() > 5, "{lost:?} packets");
    let cause = if outcome.has_no_reasons() {
        "kfree_skb_list"
    } else {
        "QDISC_DROP"
    };
    let finding = outcome.finding("OtherDrop", cause, "veth-server");
    let count = finding["count"].as_u64().unwrap();
    let few_missed = is_nearly(count, *lost.start());
    assert!(few_missed || lost.contains(&count), "{lost:?}: {finding:#}");
    let others = outcome.alarming().into_iter();
    let others: Vec<_> = others.filter(|one| one["cause"] != cause).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(outcome.ledger("", "veth-server", "tx_dropped").is_none());
    outcome.assert_balanced();
}

/// Drops that were counted at both ends of a veth, and of which no event told.
#[track_caller]
pub fn shared_packets((sender, receiver): (u64, u64), outcome: &Outcome) {
    assert!(sender > 20, "{sender} packets");
    assert_eq!(sender, receiver, "a veth counts them at both its ends");
    for (netns, device, counter) in [
        ("shop/generator", "eth0", "tx_dropped"),
        ("", "veth-generator", "rx_dropped"),
    ] {
        let entry = outcome.ledger(netns, device, counter);
        let entry = entry.unwrap_or_else(|| panic!("{:#}", outcome.result["ledger"]));
        assert_eq!(entry["increase"], sender, "{entry:#}");
        assert_eq!(entry["unexplained"], sender, "{entry:#}");
    }
    outcome.assert_balanced();
}

/// So many findings of Warning or worse, and no more: nothing is blamed that was not made.
#[track_caller]
fn assert_alarming(outcome: &Outcome, count: usize) {
    let alarming: Vec<&Value> = outcome.alarming();
    assert_eq!(alarming.len(), count, "{alarming:#?}");
    outcome.assert_balanced();
}
