//! What looks like a fault in the kernel's counts, and is none that anybody on call should be told of.
//!
//! Each first proves that its stimulus arrived, by the kernel's counters or by what a program saw.

use anyhow::Result;
use netdiag_e2e::scenarios::{ClosedPorts, HealthyPods, RefusedFlows};

use super::{Harness, assert_quiet};

/// Scans of 200 ports, of the node and of a pod.
pub fn scans_of_closed_ports(harness: &Harness) -> Result<()> {
    let stage = harness.node("scan")?;
    let ports = ClosedPorts::new(stage.node())?;
    let (scanned, outcome) = stage.watch(2, |_| ports.scan())?;
    for one in &scanned {
        assert_eq!((one.asked, one.counted), (200, 200), "{one:?}");
        let is_tcp = one.scan.contains("TCP");
        assert_eq!(one.refused, if is_tcp { 200 } else { 0 }, "{one:?}");
    }
    assert_quiet(&outcome);
    Ok(())
}

/// Two captures that read nothing, beside pods that talk.
pub fn capture_that_nobody_reads(harness: &Harness) -> Result<()> {
    let stage = harness.node("unread")?;
    let mut pods = HealthyPods::new(stage.node())?;
    let captures = pods.start_unread_captures()?;
    let ((sent, dropped), outcome) = stage.watch(3, |_| {
        let (sent, _) = pods.talk()?;
        Ok((sent, [captures[0].dropped()?, captures[1].dropped()?]))
    })?;
    assert!(sent > 10_000_000, "{sent} bytes");
    assert!(dropped.iter().all(|count| *count > 10), "{dropped:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// Rules drop and reject flows through the node, out of it and into a pod.
pub fn flows_refused_by_rules(harness: &Harness) -> Result<()> {
    let stage = harness.node("refused")?;
    let flows = RefusedFlows::new(stage.node())?;
    let (refused, outcome) = stage.watch(5, |_| flows.send())?;
    for one in &refused {
        assert!(one.counted >= one.sent, "{one:?}");
    }
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert_quiet(&outcome);
    Ok(())
}
