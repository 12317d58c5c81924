//! What drivers print about checksums, as lines of the kernel's log: no driver here prints them.

use netdiag_e2e::lab::{KernelLog, Node, Segment};
use netdiag_e2e::scenarios::driver_messages::{self, COMPLAINTS, ForgedMessages};

use super::watched::conclude;
use crate::expected;

const WARNING: u32 = 4;

#[test]
#[ignore = "needs a guest"]
fn every_drivers_complaint() {
    let node = Node::new("driver-messages").unwrap();
    let segment = Segment::new(&node).unwrap();
    segment.plug("eth1").unwrap();
    let log = KernelLog::new(&node).unwrap();
    let watch = node.watch_log(&log, 3).unwrap();
    driver_messages::complain(&log, 3).unwrap();
    // The one NIC here, as its driver would name it.
    let line = driver_messages::complaint_about("virtio_net", "eth1");
    log.print(0, WARNING, &line).unwrap();
    let outcome = conclude(watch, 3 * COMPLAINTS.len() as u64 + 1);
    expected::driver_complaints(3, &outcome);
    let of_nic = outcome.finding("DriverChecksum", "UnsupportedProtocol", "eth1");
    assert_eq!(of_nic["severity"], "Warning");
    assert_eq!(of_nic["confidence"], "Likely");
    assert_eq!(of_nic["count"], 1);
    let remedy = &of_nic["remedies"][0]["command"];
    assert_eq!(remedy, "ethtool -K eth1 tx off", "{of_nic:#}");
}

/// What a program writes into the kernel's log is not the kernel's, whatever priority it gives itself; and a firewall
/// that quotes a driver is no driver.
#[test]
#[ignore = "needs a guest"]
fn forged_complaints() {
    let node = Node::new("forged-messages").unwrap();
    let forged = ForgedMessages::new(&node).unwrap();
    let watch = node.watch(4).unwrap();
    forged.forge(&node, 5).unwrap();
    let outcome = conclude(watch, 5);
    let log = &outcome.evidence["kernel_log"];
    let lines = log["value"].as_array();
    let lines: Vec<_> = lines
        .unwrap_or_else(|| panic!("no log in {log:#}"))
        .iter()
        .filter_map(|line| line["text"].as_str())
        .filter(|text| text.contains("partial checksum"))
        .collect();
    // The agent has seen the firewall's lines, and none of the program's.
    assert_eq!(lines.len(), 5, "{lines:#?}");
    let quoted = |line: &&str| line.starts_with(COMPLAINTS[0].0) && line.contains("DPT=9");
    assert!(lines.iter().all(quoted), "{lines:#?}");
    expected::no_driver_complaint(&outcome);
}
