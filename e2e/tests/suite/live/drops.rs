//! Drops that no check of its own is for.

use netdiag_e2e::scenarios::{HungProgram, Refusals};

use super::diagnosed::Diagnosed;
use crate::expected;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn refusals_for_several_reasons_are_told_apart_by_their_numbers() {
    let diagnosed = Diagnosed::node("refusals");
    let scenario = Refusals::new(&diagnosed.node).unwrap();
    let (made, outcome) = diagnosed.diagnose(5, || scenario.send().unwrap());
    expected::refusals(&made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_program_that_neither_reads_nor_accepts_loses_what_it_is_sent() {
    let diagnosed = Diagnosed::node("hung-program");
    let scenario = HungProgram::new(&diagnosed.node).unwrap();
    let (made, outcome) = diagnosed.diagnose(6, || scenario.send().unwrap());
    expected::hung_program(&made, &outcome);
}
