//! Each node's findings in short, fitted into the status.

use netdiag_crds::{
    diagnosis::{NodeFinding, NodeFindings},
    harm::Harm,
    limits,
    report::Finding,
    severity::Severity,
};
use serde::Serialize;
use serde_json::json;

use super::{
    phrase,
    reporter::{Reporter, severity},
};

/// Bytes of JSON that all nodes' findings may take. An object may have 1.5 MiB in etcd; every watcher of diagnoses
/// gets the whole of it with each change.
pub const MOST_BYTES: usize = 200 * 1024;

/// Findings by node, worst first, as many nodes as fit; and how many nodes with findings did not.
///
/// Every affected node is listed with its worst finding before anything else takes room: first the commands of these,
/// then the other findings of Warning or worse, then those of Info.
pub fn fit(reporters: &[Reporter<'_>]) -> (Vec<NodeFindings>, usize) {
    let mut nodes: Vec<Listed<'_>> = reporters.iter().filter_map(Listed::of).collect();
    nodes.sort_by_key(|node| (std::cmp::Reverse(node.worst), node.name));
    let all = nodes.len();
    nodes.truncate(limits::NODE_FINDINGS);
    let mut room = Room(MOST_BYTES);
    for node in nodes.iter_mut().filter(|node| node.is_affected()) {
        node.list_worst(&mut room);
    }
    for node in nodes.iter_mut().filter(|node| node.is_affected()) {
        node.add_command(&mut room);
    }
    for node in nodes.iter_mut().filter(|node| node.is_affected()) {
        node.list_while(&mut room, |severity| severity > Severity::Info);
    }
    for node in &mut nodes {
        node.list_while(&mut room, |_| true);
    }
    let fitting: Vec<NodeFindings> = nodes.into_iter().filter_map(Listed::done).collect();
    let left_out = all - fitting.len();
    (fitting, left_out)
}

/// Bytes that are left; none from the first time on that something did not fit, so that nothing milder slips in.
struct Room(usize);

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.0;
        self.0 = if fits { self.0 - bytes } else { 0 };
        fits
    }
}

/// The weight of a finding: a decision is the least of its severity.
type Rank = (Severity, bool, Harm);

fn rank(finding: &Finding) -> Rank {
    (severity(finding), !finding.decision, finding.harm())
}

/// One node, and what of it is listed so far.
struct Listed<'a> {
    name: &'a str,
    worst: Rank,
    /// Worst first.
    findings: Vec<&'a Finding>,
    all: &'a [Finding],
    listed: Vec<NodeFinding>,
}

impl<'a> Listed<'a> {
    fn of(reporter: &Reporter<'a>) -> Option<Self> {
        let mut findings = reporter.findings.clone();
        // Stable: the agent has put them into order among equals.
        findings.sort_by_key(|finding| std::cmp::Reverse(rank(finding)));
        findings.truncate(limits::FINDINGS_PER_NODE);
        Some(Self {
            name: reporter.name,
            worst: rank(findings.first()?),
            findings,
            all: &reporter.result.findings,
            listed: Vec::new(),
        })
    }

    fn is_affected(&self) -> bool {
        self.worst.0 > Severity::Info
    }

    /// Lists the worst finding without its command and what takes that back, which the node's report has too.
    fn list_worst(&mut self, room: &mut Room) {
        let worst = self.findings.first().map(|finding| NodeFinding {
            command: None,
            undo: None,
            ..shorten(finding, self.all)
        });
        let whole = NodeFindings {
            name: self.name.to_owned(),
            findings: worst.into_iter().collect(),
        };
        if room.take(serialised_size(&whole)) {
            self.listed = whole.findings;
        }
    }

    fn add_command(&mut self, room: &mut Room) {
        let remedy = self.findings.first().and_then(|finding| remedy(finding));
        if let (Some(listed), Some((command, undo))) = (self.listed.first_mut(), remedy)
            && room.take(serialised_size(&json!({"command": command, "undo": undo})))
        {
            listed.command = Some(command);
            listed.undo = undo;
        }
    }

    /// Lists what comes next as long as it is `wanted` and fits. A node of which nothing is listed yet is listed whole
    /// or not at all.
    fn list_while(&mut self, room: &mut Room, wanted: fn(Severity) -> bool) {
        let next: Vec<NodeFinding> = self.findings[self.listed.len()..]
            .iter()
            .take_while(|finding| wanted(severity(finding)))
            .map(|finding| shorten(finding, self.all))
            .collect();
        if self.listed.is_empty() {
            let whole = NodeFindings {
                name: self.name.to_owned(),
                findings: next,
            };
            if room.take(serialised_size(&whole)) {
                self.listed = whole.findings;
            }
            return;
        }
        for finding in next {
            if !room.take(serialised_size(&finding)) {
                return;
            }
            self.listed.push(finding);
        }
    }

    fn done(self) -> Option<NodeFindings> {
        (!self.listed.is_empty()).then(|| NodeFindings {
            name: self.name.to_owned(),
            findings: self.listed,
        })
    }
}

fn serialised_size(part: &impl Serialize) -> usize {
    // Plain strings always serialise; one that did not would not fit either.
    let separator = 1;
    serde_json::to_vec(part).map_or(MOST_BYTES, |json| json.len()) + separator
}

fn shorten(finding: &Finding, all: &[Finding]) -> NodeFinding {
    let cause = finding
        .caused_by
        .iter()
        .find_map(|id| all.iter().find(|other| other.id == *id))
        .map(|cause| phrase::cut(&format!("{}/{}", cause.check, cause.cause), limits::LINE));
    let subject = &finding.subject;
    let (command, undo) = remedy(finding).unzip();
    NodeFinding {
        check: finding.check.clone(),
        cause: finding.cause.clone(),
        harm: Some(finding.harm().as_str().to_owned()),
        decision: finding.decision,
        severity: severity(finding).as_str().to_owned(),
        interface: subject.interface.clone(),
        pod: subject
            .pod
            .as_ref()
            .map(|pod| format!("{}/{}", pod.namespace, pod.name)),
        protocol: subject.protocol.clone(),
        summary: finding.summary.clone(),
        caused_by: cause,
        command,
        undo: undo.flatten(),
    }
}

/// The first remedy's command, and what takes it back.
fn remedy(finding: &Finding) -> Option<(String, Option<String>)> {
    let first = finding.remedies.first()?;
    Some((first.command.clone()?, first.undo.clone()))
}

#[cfg(test)]
mod tests;
