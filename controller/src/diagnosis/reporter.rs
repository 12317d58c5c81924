//! A node that has reported, and what of its findings is asked for.

use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{
    NodeNetReport,
    report::{Finding, RunResult},
    severity::Severity,
};

use super::{asked::Asked, degraded};

/// A node that has reported.
#[derive(Clone)]
pub struct Reporter<'a> {
    /// Its name.
    pub name: &'a str,
    /// The node.
    pub node: &'a Node,
    /// Its report.
    pub report: &'a NodeNetReport,
    /// The result of this run.
    pub result: &'a RunResult,
    /// Its findings that are asked for, with their causes.
    pub findings: Vec<&'a Finding>,
    /// The reason why it could not look in full; absent: it could.
    pub blind: Option<&'a str>,
}

impl<'a> Reporter<'a> {
    /// A node with this result, as far as it is asked for.
    pub fn new(
        name: &'a str,
        node: &'a Node,
        report: &'a NodeNetReport,
        result: &'a RunResult,
        asked: &Asked<'_>,
    ) -> Self {
        Self {
            name,
            node,
            report,
            result,
            findings: wanted(&result.findings, asked.least),
            blind: degraded::blindness(result, asked),
        }
    }

    /// The worst of its findings that are asked for.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| severity(finding)).max()
    }
}

/// The findings of this severity or worse, and the causes of these, however far back.
fn wanted(findings: &[Finding], least: Severity) -> Vec<&Finding> {
    let mut is_kept: Vec<bool> = findings
        .iter()
        .map(|finding| severity(finding) >= least)
        .collect();
    let mut waiting: Vec<usize> = (0..findings.len())
        .filter(|place| is_kept[*place])
        .collect();
    // Each finding waits once, so causes that name each other end it too.
    while let Some(finding) = waiting.pop().and_then(|place| findings.get(place)) {
        for (place, cause) in findings.iter().enumerate() {
            if !is_kept[place] && finding.caused_by.contains(&cause.id) {
                is_kept[place] = true;
                waiting.push(place);
            }
        }
    }
    let kept = findings.iter().zip(is_kept);
    kept.filter(|(_, is_kept)| *is_kept)
        .map(|(finding, _)| finding)
        .collect()
}

/// A finding's urgency. A decision asks for no act, whatever its agent says.
pub fn severity(finding: &Finding) -> Severity {
    if finding.decision {
        Severity::Info
    } else {
        Severity::from_status(&finding.severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::finding;

    #[test]
    fn the_causes_of_a_wanted_finding_are_wanted_whatever_their_severity() {
        let mut lost = finding("LinkMtu", "PeerMtuSmaller", "Critical");
        let mut bridge = finding("Promiscuity", "BridgePort", "Info");
        let device = finding("Promiscuity", "UserRequest", "Info");
        lost.caused_by = vec![bridge.id.clone(), lost.id.clone()];
        bridge.caused_by = vec![device.id.clone(), lost.id.clone()];
        let other = finding("UnhandledProtocol", "NoReceiver", "Info");
        let findings = [other, device, lost, bridge];
        let causes = |least| {
            let wanted = wanted(&findings, least);
            let causes = wanted.iter().map(|finding| finding.cause.as_str());
            causes.collect::<Vec<_>>()
        };
        assert_eq!(
            causes(Severity::Warning),
            ["UserRequest", "PeerMtuSmaller", "BridgePort"]
        );
        assert_eq!(causes(Severity::Info).len(), 4);
    }
}
