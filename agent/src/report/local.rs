//! The report of a diagnosis without a cluster.

use netdiag_crds::{
    NodeNetReport, NodeNetReportSpec, NodeNetReportStatus,
    report::{AgentInfo, Probe},
};
use netdiag_diagnosis::{Diagnosis, EvidenceWindow};

use super::{Run, facts, run_result, summary, text::escaped};

/// The diagnosis that a report without a cluster belongs to.
const LOCAL: &str = "local";

/// One whole, uncut report, as `diagnose -o yaml` prints it. Its name is the host's as a DNS label.
pub fn node_net_report(
    diagnosis: &Diagnosis,
    window: &EvidenceWindow,
    agent: AgentInfo,
    probes: Vec<Probe>,
) -> NodeNetReport {
    let run = Run {
        diagnosis: LOCAL,
        uid: None,
        generation: 1,
        attempts: 1,
    };
    let result = run_result(diagnosis, window, &run);
    let host = &window.node.name;
    let name = dns_label(host);
    let agent = AgentInfo {
        host: (*host != name).then(|| escaped(host)),
        ..agent
    };
    let mut status = NodeNetReportStatus {
        agent: Some(agent),
        probes,
        facts: facts(window, &result.findings),
        results: vec![result],
        ..NodeNetReportStatus::default()
    };
    status.summary = Some(summary(&status));
    let mut report = NodeNetReport::new(&name, NodeNetReportSpec::default());
    report.status = Some(status);
    report
}

/// The host's name as an RFC 1123 label: its first part, lower case, at most 63 letters, digits and dashes.
fn dns_label(host: &str) -> String {
    let first = host.split('.').next().unwrap_or_default();
    let label: String = first
        .chars()
        .map(|character| match character.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9') => plain,
            _ => '-',
        })
        .take(63)
        .collect();
    match label.trim_matches('-') {
        "" => "localhost".to_owned(),
        label => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_becomes_a_dns_label() {
        assert_eq!(dns_label("Node_17.example.org"), "node-17");
        assert_eq!(dns_label("-é-"), "localhost");
        assert_eq!(dns_label(&"a".repeat(70)).len(), 63);
        assert_eq!(dns_label(""), "localhost");
    }
}
