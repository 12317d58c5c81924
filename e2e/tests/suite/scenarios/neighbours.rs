//! Neighbours that do not answer, and tables of neighbours that are full.

use anyhow::Result;
use netdiag_e2e::scenarios::{MacvlanPod, ManyNeighbours, SilentGateway};
use serde_json::Value;

use super::control_frames::{follow_remedy, undo_remedy};
use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

/// Datagrams to so many addresses that nobody has, over both IP versions, with room for fewer.
pub fn full_tables(harness: &Harness) -> Result<()> {
    let stage = harness.node("neighbours")?;
    let many = ManyNeighbours::without_room(stage.node())?;
    let (refused, outcome) = stage.watch(3, |_| many.scan(1))?;
    assert!(refused.iter().all(|refused| *refused > 20), "{refused:?}");
    let findings = ["", "IPv6"].map(|version| of_version(&outcome, "TableFull", version));
    for (finding, refused) in findings.into_iter().zip(refused) {
        assert_eq!(finding["severity"], "Critical", "{finding:#}");
        let count = finding["count"].as_u64().unwrap();
        // The kernel goes on asking for neighbours after the last look.
        assert!(count >= refused / 2, "{refused} {finding:#}");
        assert!(finding.to_string().contains("veth-client"), "{finding:#}");
    }
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    outcome.assert_balanced();
    let limits = many.limits()?;
    for finding in findings {
        follow_remedy(finding, stage.node());
    }
    assert_eq!(many.scan(2)?, [0, 0]);
    for finding in findings {
        undo_remedy(finding, stage.node());
    }
    assert_eq!(many.limits()?, limits);
    let again = many.scan(3)?;
    assert!(again.iter().all(|refused| *refused > 20), "{again:?}");
    Ok(())
}

/// The same datagrams where the tables have room: they wait for neighbours that nobody misses.
pub fn tables_with_room(harness: &Harness) -> Result<()> {
    let stage = harness.node("neighbours")?;
    let many = ManyNeighbours::with_room(stage.node())?;
    let (refused, outcome) = stage.watch(6, |_| many.scan(1))?;
    assert_eq!(refused, [0, 0]);
    assert_quiet(&outcome);
    Ok(())
}

/// A pod whose gateway is not there, over both IP versions.
pub fn gateway_that_does_not_answer(harness: &Harness) -> Result<()> {
    let stage = harness.node("gateway")?;
    let silent = SilentGateway::new(stage.node())?;
    let (polled, outcome) = stage.watch(4, |_| silent.poll())?;
    for one in &polled {
        assert!(one.answered == 0 && one.unreachable > 0, "{one:?}");
    }
    for (version, option) in [("", "ip -4 "), ("IPv6", "ip -6 ")] {
        let finding = of_version(&outcome, "Unanswered", version);
        assert_eq!(finding["severity"], "Warning", "{finding:#}");
        assert_eq!(finding["harm"], "Outage", "{finding:#}");
        assert_eq!(finding["culprit"], "Elsewhere", "{finding:#}");
        assert_eq!(finding["subject"]["interface"], "eth0", "{finding:#}");
        assert_eq!(finding["subject"]["pod"]["name"], "client", "{finding:#}");
        assert!(finding.to_string().contains(option), "{finding:#}");
    }
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    outcome.assert_balanced();
    Ok(())
}

/// A node and its own macvlan pod: they cannot talk, by design.
pub fn macvlan_pod_of_the_node(harness: &Harness) -> Result<()> {
    let stage = harness.node("macvlan")?;
    let pod = MacvlanPod::new(stage.node())?;
    let (polled, outcome) = stage.watch(8, |_| pod.poll())?;
    for one in &polled {
        assert!(one.answered == 0 && one.unreachable > 0, "{one:?}");
    }
    let is_apart = |finding: &&Value| {
        finding["check"] == "Neighbour"
            && finding["decision"] == true
            && finding["explanation"].to_string().contains("by design")
    };
    let apart = outcome.all().iter().filter(is_apart).count();
    assert_eq!(apart, 4, "{:#}", outcome.result);
    assert_quiet(&outcome);
    Ok(())
}

/// The finding of this cause about this IP version, empty for IPv4.
#[track_caller]
fn of_version<'a>(outcome: &'a Outcome, cause: &str, version: &str) -> &'a Value {
    let matches = |finding: &&Value| {
        finding["check"] == "Neighbour"
            && finding["cause"] == cause
            && finding["subject"]["protocol"].as_str().unwrap_or("") == version
    };
    let found: Vec<&Value> = outcome.all().iter().filter(matches).collect();
    match found[..] {
        [finding] => finding,
        _ => panic!("{} of {cause} in {:#}", found.len(), outcome.result),
    }
}
