//! Drops that the table of `OtherDrop` explains.

use netdiag_e2e::scenarios::{Overflowed, Refused};
use serde_json::Value;

use crate::outcome::Outcome;

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
    assert_alarming(outcome, 1);
}

/// So many findings of Warning or worse, and no more: nothing is blamed that was not made.
#[track_caller]
fn assert_alarming(outcome: &Outcome, count: usize) {
    let alarming: Vec<&Value> = outcome.alarming();
    assert_eq!(alarming.len(), count, "{alarming:#?}");
    outcome.assert_balanced();
}
