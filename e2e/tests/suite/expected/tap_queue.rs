//! Queues of TAP and macvtap devices, and what is lost elsewhere on the way to a virtual machine.

use netdiag_e2e::scenarios::{Plug, Requests};
use serde_json::Value;

use super::assert_harmless;
use crate::outcome::{Outcome, is_nearly};

/// A machine that stalls for longer than its queue holds.
#[track_caller]
pub fn full_queue(plug: Plug, made: &Requests, machine: u32, queue: u32, outcome: &Outcome) {
    assert!(made.dropped > 20 && made.retransmitted > 10, "{made:?}");
    let (device, cause) = match plug {
        Plug::Macvtap => ("macvtap0", "ReceiveQueueFull"),
        Plug::BridgedTap => ("tap0", "TransmitQueueFull"),
    };
    let finding = outcome.finding("TapQueueDrop", cause, device);
    let count = finding["count"].as_u64().unwrap();
    // The window goes on for a moment after the last request.
    let few_more = count.saturating_sub(made.dropped) * 50 <= made.dropped;
    let few_missed = count > made.dropped || is_nearly(count, made.dropped);
    assert!(few_more && few_missed, "{made:?} {finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    let process = format!("netdiag-lab (pid {machine})");
    assert_eq!(finding["subject"]["process"], process, "{finding:#}");
    let text = finding.to_string();
    for named in [
        "shop/vm",
        "txqueuelen",
        &format!("its queue of {queue} was full"),
    ] {
        assert!(text.contains(named), "{named:?} is not in {finding:#}");
    }
    let (explained, of) = explained_retransmissions(finding);
    assert!(explained > 0 && explained <= made.dropped, "{finding:#}");
    assert!(explained <= of, "{finding:#}");
    println!(
        "EXPLAINED {explained} of {of} retransmissions, RetransSegs {}, timeouts {}, drops {}, slow {} of {}",
        made.retransmitted, made.timeouts, made.dropped, made.slow, made.answers
    );
    outcome.assert_nearly_explained(device, plug.counter(), made.dropped);
    assert_eq!(outcome.alarming().len(), 1, "{:#?}", outcome.alarming());
    outcome.assert_balanced();
}

/// The same stalls in front of a queue that holds them.
#[track_caller]
pub fn held_queue(made: &Requests, outcome: &Outcome) {
    assert!(
        made.delayed > 20,
        "stalls made answers late and lost none: {made:?}"
    );
    assert_eq!(made.dropped, 0);
    assert_no_tap_finding(outcome);
    assert_harmless(outcome);
}

/// Packets that a queueing discipline of the client lost, on their way to a machine that keeps up.
#[track_caller]
pub fn discipline(made: &Requests, outcome: &Outcome) {
    assert!(made.retransmitted > 10, "{made:?}");
    assert_eq!(made.dropped, 0);
    assert_no_tap_finding(outcome);
    outcome.assert_balanced();
    if outcome.has_no_reasons() {
        // What frees there (kfree_skb_list) frees other packets too, so that nobody calls it a loss.
        return;
    }
    outcome.finding_in("client", "OtherDrop", "QDISC_DROP", "eth0");
}

/// Some of what the discipline lost TCP sent again.
#[track_caller]
pub fn discipline_whose_losses_are_sent_again(made: &Requests, outcome: &Outcome) {
    discipline(made, outcome);
    if outcome.has_no_reasons() {
        return;
    }
    let finding = outcome.finding_in("client", "OtherDrop", "QDISC_DROP", "eth0");
    let (explained, of) = explained_retransmissions(finding);
    assert!(explained > 0 && explained <= of, "{finding:#}");
    println!(
        "EXPLAINED {explained} of {of} retransmissions, RetransSegs {}, timeouts {}",
        made.retransmitted, made.timeouts
    );
}

/// A macvtap that nobody has open.
#[track_caller]
pub fn no_reader(made: &Requests, outcome: &Outcome) {
    assert_eq!((made.answers, made.dropped), (0, 0), "{made:?}");
    assert!(made.arrived > 10, "{made:?}");
    let cause = if outcome.has_no_reasons() {
        "ip_error"
    } else {
        "IP_INADDRERRORS"
    };
    let finding = outcome.finding("OtherDrop", cause, "macvtap0");
    assert_eq!(finding["count"], made.arrived, "{finding:#}");
    assert_no_tap_finding(outcome);
    if outcome.has_no_reasons() {
        // The same function refuses packets without a route, which is a warning.
        outcome.assert_balanced();
    } else {
        assert_harmless(outcome);
    }
}

/// N and M of "at least N of M".
#[track_caller]
fn explained_retransmissions(finding: &Value) -> (u64, u64) {
    let proofs = finding["evidence"].as_array().into_iter().flatten();
    let values = proofs.filter_map(|proof| {
        let is_it = proof["name"].as_str()?.ends_with("that drops here explain");
        let (of, all) = proof["value"]
            .as_str()?
            .strip_prefix("at least ")?
            .split_once(" of ")?;
        is_it.then_some((of.parse().ok()?, all.parse().ok()?))
    });
    let values: Vec<_> = values.collect();
    assert_eq!(values.len(), 1, "{finding:#}");
    values[0]
}

#[track_caller]
fn assert_no_tap_finding(outcome: &Outcome) {
    let of_tap = |finding: &&Value| finding["check"] == "TapQueueDrop";
    assert_eq!(outcome.all().iter().find(of_tap), None);
}
