//! What drivers print about checksums, as lines of the kernel's log: no driver here prints them.

use netdiag_e2e::lab::{KernelLog, Node};
use netdiag_e2e::scenarios::driver_messages;
use serde_json::Value;

use crate::expected;
use crate::outcome::Outcome;

#[test]
#[ignore = "needs root and eBPF"]
fn complaints_are_read_and_lines_that_only_look_so_are_not() {
    let watched = |print: fn(&KernelLog)| {
        let node = Node::new("driver-messages").unwrap();
        let log = KernelLog::new(&node).unwrap();
        let watch = node.watch_log(&log, 2).unwrap();
        print(&log);
        let report = watch.report().unwrap().report;
        Outcome {
            diagnosis: Value::Null,
            result: report["status"]["results"][0].clone(),
            evidence: Value::Null,
        }
    };
    let outcome = watched(|log| driver_messages::complain(log, 3).unwrap());
    expected::driver_complaints(3, &outcome);
    let outcome = watched(|log| driver_messages::print_look_alikes(log).unwrap());
    expected::no_driver_complaint(&outcome);
}
