//! The lines that drivers print into the kernel's log about checksums that they cannot finish: no driver here prints
//! them.

use anyhow::Result;
use netdiag_e2e::lab::{KernelLog, Node, Segment};
use netdiag_e2e::scenarios::driver_messages::{self, COMPLAINTS, ForgedMessages};
use serde_json::Value;

use super::Harness;
use crate::outcome::Outcome;

const WARNING: u32 = 4;

/// Complaints are read, and lines that only look like them are not.
pub fn complaints_and_look_alikes(harness: &Harness) -> Result<()> {
    let watched = |print: fn(&KernelLog) -> Result<()>| {
        let node = Node::new("driver-messages")?;
        let log = KernelLog::new(node.host())?;
        let watch = node.watch_log(&log, 2)?;
        print(&log)?;
        harness.conclude(watch, 0)
    };
    let outcome = watched(|log| driver_messages::complain(log, 3))?;
    driver_complaints(3, &outcome);
    let outcome = watched(driver_messages::print_look_alikes)?;
    no_driver_complaint(&outcome);
    Ok(())
}

pub fn every_drivers_complaint(harness: &Harness) -> Result<()> {
    let node = Node::new("driver-messages")?;
    let segment = Segment::new(&node)?;
    segment.plug("eth1")?;
    let log = KernelLog::new(node.host())?;
    let watch = node.watch_log(&log, 3)?;
    driver_messages::complain(&log, 3)?;
    // The one NIC here, as its driver would name it.
    let line = driver_messages::complaint_about("virtio_net", "eth1");
    log.print(0, WARNING, &line)?;
    let outcome = harness.conclude(watch, 3 * COMPLAINTS.len() as u64 + 1)?;
    driver_complaints(3, &outcome);
    let of_nic = outcome.finding("DriverChecksum", "UnsupportedProtocol", "eth1");
    assert_eq!(
        of_nic["severity"], "Info",
        "what became of the packets is not known"
    );
    assert_eq!(of_nic["confidence"], "Likely");
    assert_eq!(of_nic["count"], 1);
    // Offered only where the NIC has checksums to finish.
    let links = outcome.evidence["links"]["value"].as_array().unwrap();
    let nic = links.iter().find(|link| link["name"] == "eth1").unwrap();
    let remedy = &of_nic["remedies"][0];
    if nic["tx_checksum_offload"] == true {
        assert_eq!(remedy["command"], "ethtool -K eth1 tx off", "{of_nic:#}");
        assert_eq!(remedy["undo"], "ethtool -K eth1 tx on", "{of_nic:#}");
    } else {
        assert_eq!(remedy["undo"], Value::Null, "{of_nic:#}");
    }
    Ok(())
}

/// Lines that a program writes into the kernel's log are not the kernel's, whatever priority it gives itself; and a
/// firewall that quotes a driver is no driver.
pub fn forged_complaints(harness: &Harness) -> Result<()> {
    let node = Node::new("forged-messages")?;
    let forged = ForgedMessages::new(&node)?;
    let watch = node.watch(4)?;
    forged.forge(&node, 5)?;
    let outcome = harness.conclude(watch, 5)?;
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
    no_driver_complaint(&outcome);
    Ok(())
}

/// Each complaint is a finding with driver, protocol and number of lines. Its NIC is none of this node's, so it is
/// possible and no more; and nothing else is taken for one.
#[track_caller]
fn driver_complaints(times: u64, outcome: &Outcome) {
    for (line, protocol) in COMPLAINTS {
        let driver = line.split(' ').next().unwrap();
        let of_driver = |finding: &&Value| {
            let summary = finding["summary"].as_str().unwrap_or_default();
            finding["cause"] == "UnsupportedProtocol"
                && finding["subject"]["interface"].is_null()
                && summary.starts_with(&format!("The driver {driver} "))
                && finding["subject"]["protocol"] == protocol
        };
        let found: Vec<_> = outcome.all().iter().filter(of_driver).collect();
        let [finding] = found[..] else {
            panic!("{} findings for {line}: {:#}", found.len(), outcome.result)
        };
        assert_eq!(finding["severity"], "Info");
        assert_eq!(finding["confidence"], "Possible");
        assert_eq!(finding["count"], times, "{finding:#}");
        let device = line.rsplit_once(": partial").unwrap().0;
        assert!(finding.to_string().contains(device), "{finding:#}");
    }
    let of_check = |finding: &&Value| finding["check"] == "DriverChecksum";
    let without_nic = |finding: &&Value| finding["subject"]["interface"].is_null();
    let count = outcome
        .all()
        .iter()
        .filter(of_check)
        .filter(without_nic)
        .count();
    assert_eq!(count, COMPLAINTS.len(), "{:#}", outcome.result);
}

/// Nothing was taken for a driver's complaint, though the log was read.
#[track_caller]
fn no_driver_complaint(outcome: &Outcome) {
    let of_check = |entry: &&Value| entry["check"] == "DriverChecksum";
    assert_eq!(outcome.all().iter().find(of_check), None);
    let unchecked = outcome.result["unchecked"].as_array();
    let unchecked = unchecked.into_iter().flatten().find(of_check);
    assert_eq!(unchecked, None);
}
