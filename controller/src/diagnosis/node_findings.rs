//! Each node's findings in short, fitted into the status.

use netdiag_crds::{
    diagnosis::{NodeFinding, NodeFindings},
    limits,
    report::Finding,
    severity::Severity,
};

use super::{
    phrase,
    reporter::{Reporter, severity},
};

/// Bytes of JSON that all nodes' findings may take. An object may have 1.5 MiB in etcd; every watcher of diagnoses
/// gets the whole of it with each change.
pub const MOST_BYTES: usize = 200 * 1024;

/// Findings by node, worst first, as many nodes as fit; and how many nodes with findings did not.
pub fn fit(reporters: &[Reporter<'_>], least: Severity) -> (Vec<NodeFindings>, usize) {
    let mut nodes: Vec<(Severity, &Reporter<'_>)> = reporters
        .iter()
        .filter_map(|reporter| Some((reporter.worst(least)?, reporter)))
        .collect();
    nodes.sort_by(|(a, in_a), (b, in_b)| b.cmp(a).then_with(|| in_a.name.cmp(in_b.name)));
    let all = nodes.len();
    let mut bytes = 0;
    let fitting: Vec<NodeFindings> = nodes
        .into_iter()
        .take(limits::NODE_FINDINGS)
        .map(|(_, reporter)| in_short(reporter, least))
        .take_while(|node| {
            bytes += serialised_size(node);
            bytes <= MOST_BYTES
        })
        .collect();
    let left_out = all - fitting.len();
    (fitting, left_out)
}

fn serialised_size(node: &NodeFindings) -> usize {
    // Plain strings always serialise; one that did not would not fit either.
    let separator = 1;
    serde_json::to_vec(node).map_or(MOST_BYTES, |json| json.len()) + separator
}

fn in_short(reporter: &Reporter<'_>, least: Severity) -> NodeFindings {
    let mut findings: Vec<&Finding> = reporter.findings(least).collect();
    // Stable: the agent has put them into order among equals.
    findings.sort_by_key(|finding| std::cmp::Reverse(severity(finding)));
    NodeFindings {
        name: reporter.name.to_owned(),
        findings: findings
            .into_iter()
            .take(limits::FINDINGS_PER_NODE)
            .map(|finding| shorten(finding, &reporter.result.findings))
            .collect(),
    }
}

fn shorten(finding: &Finding, all: &[Finding]) -> NodeFinding {
    let cause = finding
        .caused_by
        .iter()
        .find_map(|id| all.iter().find(|other| other.id == *id))
        .map(|cause| phrase::cut(&format!("{}/{}", cause.check, cause.cause), limits::LINE));
    let subject = &finding.subject;
    NodeFinding {
        check: finding.check.clone(),
        cause: finding.cause.clone(),
        severity: finding.severity.clone(),
        interface: subject.interface.clone(),
        pod: subject
            .pod
            .as_ref()
            .map(|pod| format!("{}/{}", pod.namespace, pod.name)),
        protocol: subject.protocol.clone(),
        summary: finding.summary.clone(),
        caused_by: cause,
        command: finding
            .remedies
            .first()
            .and_then(|remedy| remedy.command.clone()),
    }
}

#[cfg(test)]
mod tests;
