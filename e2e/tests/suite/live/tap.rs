//! Queues in front of virtual machines.

use netdiag_e2e::scenarios::{Family, Plug, TapQueue};

use super::diagnosed::Diagnosed;
use crate::expected;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_macvtap_queue_that_overflows_explains_retransmissions() {
    let diagnosed = Diagnosed::node("macvtap-queue");
    let scenario = TapQueue::new(&diagnosed.node, Plug::Macvtap, Family::V4, 4).unwrap();
    let (made, outcome) = diagnosed.diagnose(10, || scenario.ask(7).unwrap());
    let machine = scenario.machine().unwrap();
    expected::full_queue(Plug::Macvtap, &made, machine, 4, &outcome);
    assert_eq!(
        outcome.diagnosis["status"]["summary"]["severity"],
        "Critical"
    );
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_bridged_tap_queue_that_overflows_explains_retransmissions_over_ipv6() {
    let diagnosed = Diagnosed::node("tap-queue");
    let scenario = TapQueue::new(&diagnosed.node, Plug::BridgedTap, Family::V6, 2).unwrap();
    let (made, outcome) = diagnosed.diagnose(10, || scenario.ask(7).unwrap());
    let machine = scenario.machine().unwrap();
    expected::full_queue(Plug::BridgedTap, &made, machine, 2, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn stalls_that_the_queue_of_a_macvtap_holds_are_no_finding() {
    let diagnosed = Diagnosed::node("macvtap-held");
    let scenario = TapQueue::new(&diagnosed.node, Plug::Macvtap, Family::V4, 500).unwrap();
    let (made, outcome) = diagnosed.diagnose(6, || scenario.ask(4).unwrap());
    expected::held_queue(&made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn loss_in_a_queueing_discipline_is_not_blamed_on_the_tap() {
    let diagnosed = Diagnosed::node("discipline");
    let scenario = TapQueue::without_stalls(&diagnosed.node, Plug::Macvtap, 500).unwrap();
    scenario
        .limit_client("tbf rate 40kbit burst 1600 limit 300")
        .unwrap();
    let (made, outcome) = diagnosed.diagnose(10, || scenario.ask(7).unwrap());
    expected::discipline_whose_losses_are_sent_again(&made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_macvtap_without_a_reader_has_no_queue() {
    let diagnosed = Diagnosed::node("no-reader");
    let mut scenario = TapQueue::without_stalls(&diagnosed.node, Plug::Macvtap, 4).unwrap();
    scenario.stop_machine();
    let (made, outcome) = diagnosed.diagnose(6, || scenario.ask(3).unwrap());
    expected::no_reader(&made, &outcome);
}
