//! Queues in front of virtual machines, on other kernels.

use aya::programs::loaded_programs;
use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{Family, Pace, Plug, TapQueue};

use super::watched::watch;
use crate::expected;

/// Some 75 requests a second, which any machine sends more of.
const SLOW_DISCIPLINE: &str = "tbf rate 40kbit burst 1600 limit 300";

/// The probe of retransmissions is loaded; the kernel keeps 15 characters of its programs' names.
fn retransmissions_are_watched() -> bool {
    let mut programs = loaded_programs().filter_map(Result::ok);
    programs.any(|program| program.name() == b"retransmissions")
}

#[test]
#[ignore = "needs a guest"]
fn macvtap_queue_overflow() {
    let node = Node::new("macvtap-queue").unwrap();
    let scenario = TapQueue::new(&node, Plug::Macvtap, Family::V4, 4).unwrap();
    let (made, outcome) = watch(&node, 8, || {
        let pace = Pace::Full;
        scenario
            .ask_until_seen(pace, retransmissions_are_watched)
            .unwrap()
    });
    let machine = scenario.machine().unwrap();
    expected::full_queue(Plug::Macvtap, &made, machine, 4, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn bridged_tap_queue_overflow_over_ipv6() {
    let node = Node::new("tap-queue").unwrap();
    let scenario = TapQueue::new(&node, Plug::BridgedTap, Family::V6, 2).unwrap();
    let (made, outcome) = watch(&node, 8, || {
        let pace = Pace::Full;
        scenario
            .ask_until_seen(pace, retransmissions_are_watched)
            .unwrap()
    });
    let machine = scenario.machine().unwrap();
    expected::full_queue(Plug::BridgedTap, &made, machine, 2, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn macvtap_stalls_that_its_queue_holds() {
    let node = Node::new("macvtap-held").unwrap();
    let scenario = TapQueue::new(&node, Plug::Macvtap, Family::V4, 500).unwrap();
    let (made, outcome) = watch(&node, 7, || scenario.ask(4).unwrap());
    expected::held_queue(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn tap_beside_a_lossy_wire() {
    let node = Node::new("netem-loss").unwrap();
    let scenario = TapQueue::without_stalls(&node, Plug::Macvtap, 500).unwrap();
    scenario.limit_client("netem loss 4%").unwrap();
    let (made, outcome) = watch(&node, 8, || {
        let pace = Pace::Slow;
        scenario
            .ask_until_seen(pace, retransmissions_are_watched)
            .unwrap()
    });
    expected::discipline_whose_losses_are_sent_again(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn tap_beside_a_short_queueing_discipline() {
    let node = Node::new("discipline").unwrap();
    let scenario = TapQueue::without_stalls(&node, Plug::BridgedTap, 500).unwrap();
    scenario.limit_client(SLOW_DISCIPLINE).unwrap();
    let (made, outcome) = watch(&node, 8, || scenario.ask(5).unwrap());
    // TCP is told at once that the queue refused a packet. Before 6.16 the tracepoint is silent when that was a packet
    // sent again (`__tcp_retransmit_skb`), so that drops need not explain any.
    expected::discipline(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn macvtap_without_a_reader() {
    let node = Node::new("no-reader").unwrap();
    let mut scenario = TapQueue::without_stalls(&node, Plug::Macvtap, 4).unwrap();
    scenario.stop_machine();
    let (made, outcome) = watch(&node, 7, || scenario.ask(3).unwrap());
    expected::no_reader(&made, &outcome);
}
