//! Queues of TAP and macvtap devices in front of virtual machines, and what is lost elsewhere on the way to one.

use anyhow::{Context, Result};
use netdiag_e2e::scenarios::{Family, Pace, Plug, TapQueue};
use serde_json::Value;

use super::{Harness, assert_harmless, kernel_is_since};
use crate::outcome::{Outcome, is_nearly};

/// The programs of the probe that joins retransmissions to drops.
const PROBE: &str = "retransmissions";
/// Retransmissions that it sees before the client stops: enough that drops explain some of them.
const SEEN: u64 = 12;

/// A queue of 4 packets.
pub fn macvtap_queue_overflow(harness: &Harness) -> Result<()> {
    full_queue(harness, Plug::Macvtap, Family::V4, 4)
}

/// A queue of 2 packets.
pub fn bridged_tap_queue_overflow_over_ipv6(harness: &Harness) -> Result<()> {
    full_queue(harness, Plug::BridgedTap, Family::V6, 2)
}

/// A machine that stalls for longer than its queue holds.
fn full_queue(harness: &Harness, plug: Plug, family: Family, queue: u32) -> Result<()> {
    let stage = harness.node("full-queue")?;
    let tap = TapQueue::new(stage.node(), plug, family, queue)?;
    let (made, outcome) = stage.watch(14, |agent| {
        tap.ask_until_seen(Pace::Full, SEEN, || agent.has_attached(PROBE))
    })?;
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
    // By the share, which depends on how quick the machine is.
    assert_ne!(finding["severity"], "Info", "{finding:#}");
    let machine = tap.machine().context("the machine has ended")?;
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
    outcome.assert_rolled_up(finding["severity"].as_str().unwrap());
    Ok(())
}

/// The same stalls in front of a queue that holds them.
pub fn macvtap_stalls_that_its_queue_holds(harness: &Harness) -> Result<()> {
    let stage = harness.node("macvtap-held")?;
    let tap = TapQueue::new(stage.node(), Plug::Macvtap, Family::V4, 500)?;
    let (made, outcome) = stage.watch(7, |_| tap.ask_until(|made| made.delayed > 20))?;
    assert!(
        made.delayed > 20,
        "stalls made answers late and lost none: {made:?}"
    );
    assert_eq!(made.dropped, 0);
    assert_no_tap_finding(&outcome);
    assert_harmless(&outcome);
    Ok(())
}

/// A machine that keeps up, and a wire that loses packets which TCP sends again.
pub fn tap_beside_a_lossy_wire(harness: &Harness) -> Result<()> {
    discipline(harness, Plug::Macvtap, "netem loss 4%", Pace::Slow, true)
}

/// The same with a queueing discipline that takes 75 packets a second, fewer than the client sends on any machine.
///
/// TCP is told at once that the queue refused a packet. Before 6.16 the tracepoint is silent when that was a packet sent
/// again (`__tcp_retransmit_skb`), so that drops need not explain any.
pub fn tap_beside_a_short_queueing_discipline(harness: &Harness) -> Result<()> {
    let tbf = "tbf rate 40kbit burst 1600 limit 300";
    let explains = kernel_is_since(6, 16);
    discipline(harness, Plug::BridgedTap, tbf, Pace::Full, explains)
}

/// Packets that a queueing discipline of the client loses, some of which TCP sends again; the drops explain that or may
/// not.
fn discipline(
    harness: &Harness,
    plug: Plug,
    discipline: &str,
    pace: Pace,
    explains: bool,
) -> Result<()> {
    let stage = harness.node("discipline")?;
    let tap = TapQueue::without_stalls(stage.node(), plug, 500)?;
    tap.limit_client(discipline)?;
    // A discipline that refuses packets tells TCP at once, which then does not count most of them as sent at all.
    let (seconds, enough) = match pace {
        Pace::Slow => (14, SEEN),
        Pace::Full => (28, 5 * SEEN),
    };
    let (made, outcome) = stage.watch(seconds, |agent| {
        tap.ask_until_seen(pace, enough, || agent.has_attached(PROBE))
    })?;
    assert!(made.retransmitted > 10, "{made:?}");
    assert_eq!(made.dropped, 0);
    assert_no_tap_finding(&outcome);
    outcome.assert_balanced();
    if outcome.has_no_reasons() {
        // What frees there (kfree_skb_list) frees other packets too, so that nobody calls it a loss.
        return Ok(());
    }
    // In a pod, only the kind of the root tells.
    let finding = outcome.finding_in("client", "Queueing", "Shaped", "eth0");
    assert_eq!(finding["decision"], true, "{finding:#}");
    assert_eq!(finding["severity"], "Info", "{finding:#}");
    assert_eq!(finding["confidence"], "Likely", "{finding:#}");
    assert_harmless(&outcome);
    if explains {
        let (explained, of) = explained_retransmissions(finding);
        assert!(explained > 0 && explained <= of, "{finding:#}");
        println!(
            "EXPLAINED {explained} of {of} retransmissions, RetransSegs {}, timeouts {}",
            made.retransmitted, made.timeouts
        );
    }
    Ok(())
}

/// A macvtap that nobody has open.
pub fn macvtap_without_a_reader(harness: &Harness) -> Result<()> {
    let stage = harness.node("no-reader")?;
    let mut tap = TapQueue::without_stalls(stage.node(), Plug::Macvtap, 4)?;
    tap.stop_machine();
    let (made, outcome) = stage.watch(7, |_| tap.ask(3))?;
    assert_eq!((made.answers, made.dropped), (0, 0), "{made:?}");
    assert!(made.arrived > 10, "{made:?}");
    let finding = outcome.finding("Queueing", "NoReader", "macvtap0");
    // Clients send again after the scenario's last look.
    let count = finding["count"].as_u64().unwrap();
    assert!(count >= made.arrived, "{made:?} {finding:#}");
    assert_no_tap_finding(&outcome);
    outcome.assert_balanced();
    assert_eq!(outcome.alarming(), [finding]);
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["severity"], "Warning", "{finding:#}");
    Ok(())
}

/// A machine that is stopped, behind both kinds of devices.
pub fn guest_that_reads_nothing(harness: &Harness) -> Result<()> {
    for plug in [Plug::Macvtap, Plug::BridgedTap] {
        let stage = harness.node("stopped-guest")?;
        let tap = TapQueue::without_stalls(stage.node(), plug, 4)?;
        tap.pause_machine();
        let (made, outcome) = stage.watch(7, |_| tap.ask(5))?;
        tap.resume_machine();
        assert!(made.answers == 0 && made.dropped > 2, "{made:?}");
        let finding = outcome.finding("TapQueueDrop", "ReaderStopped", plug.device());
        assert_eq!(outcome.alarming(), [finding]);
        assert_eq!(finding["harm"], "Outage", "{finding:#}");
        // What a macvtap's queue took may have been read by a slow reader, whose loss may be critical.
        let may_be_slow = plug == Plug::Macvtap && finding["severity"] == "Critical";
        assert!(
            may_be_slow || finding["severity"] == "Warning",
            "{finding:#}"
        );
        assert!(!finding.to_string().contains("txqueuelen"), "{finding:#}");
        outcome.assert_balanced();
        assert!(tap.ask(2)?.answers > 0);
    }
    Ok(())
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
