//! Drops that the table of `OtherDrop` explains, full queues and tables, and drops that no event tells of.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{
    FullBacklog, FullConnections, FullNeighbours, HealthyPods, HungProgram, Refusals, SharedPackets,
};

use super::counted::Leftover;
use super::watched::{watch, watch_leaving};
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn refusals_for_several_reasons() {
    let node = Node::new("refusals").unwrap();
    let scenario = Refusals::new(&node).unwrap();
    let (made, outcome) = watch(&node, 3, || scenario.send().unwrap());
    expected::refusals(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn program_that_neither_reads_nor_accepts() {
    let node = Node::new("hung-program").unwrap();
    let scenario = HungProgram::new(&node).unwrap();
    let (made, outcome) = watch(&node, 3, || scenario.send().unwrap());
    expected::hung_program(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn full_table_of_connections() {
    let node = Node::new("connections").unwrap();
    let scenario = FullConnections::new(&node).unwrap();
    let (made, outcome) = watch(&node, 3, || scenario.send().unwrap());
    expected::full_connections(made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn full_table_of_neighbours() {
    let node = Node::new("neighbours").unwrap();
    let scenario = FullNeighbours::new(&node).unwrap();
    let (sent, outcome) = watch(&node, 3, || scenario.send().unwrap());
    expected::full_neighbours(sent, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn full_backlog_of_a_cpu() {
    let node = Node::new("backlog").unwrap();
    let scenario = FullBacklog::new(&node).unwrap();
    let (made, outcome) = watch(&node, 3, || scenario.send().unwrap());
    expected::full_backlog(&made, &outcome);
}

/// Retransmissions as of a full queue, and no device counts a drop.
#[test]
#[ignore = "needs a guest"]
fn loss_in_a_queueing_discipline() {
    let node = Node::new("lossy").unwrap();
    let pods = HealthyPods::new(&node).unwrap();
    pods.lose(3).unwrap();
    let (lost, outcome) = watch(&node, 3, || {
        pods.talk(2).unwrap();
        pods.lost().unwrap()
    });
    // What a closed connection had left is sent, and lost, after its client's end.
    let lost = lost..=pods.lost().unwrap();
    expected::loss_in_a_queueing_discipline(&lost, &outcome);
}

/// The ledger must not make up what it has not seen.
#[test]
#[ignore = "needs a guest"]
fn packets_that_their_sender_still_holds() {
    const SHARED: Leftover =
        Leftover::Because("the sender holds the packets, so that no event tells of their drop");
    let node = Node::new("shared-packets").unwrap();
    let scenario = SharedPackets::new(&node).unwrap();
    let (made, outcome) = watch_leaving(SHARED, &node, 3, || scenario.generate().unwrap());
    expected::shared_packets(made, &outcome);
}
