//! A driver was asked to finish a checksum and does not know how: it says so in the kernel log and, with most drivers,
//! sends the packet with the checksum half-made.

mod line;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::BTreeMap;

use self::line::{Complaint, Refused};
use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::{EvidenceWindow, Link, NetnsId},
    finding::{Confidence, Finding, Outcome, Severity, Subject, Unchecked},
};

const NAME: &str = "DriverChecksum";
const UNSUPPORTED_PROTOCOL: &str = "UnsupportedProtocol";

/// More protocols than a node's drivers ever complain about at once.
const MOST_FINDINGS: usize = 16;

/// The `DriverChecksum` check.
pub(super) struct DriverChecksum;

/// Lines about one protocol on one device, or on devices that are none of this node's.
struct Group<'a> {
    refused: Refused,
    link: Option<&'a Link>,
    confidence: Confidence,
    /// Drivers, and devices as the lines name them: `ixgbe 0000:03:00.0`.
    complaints: Vec<Complaint<'a>>,
    count: u64,
    /// First and last, milliseconds since the window began.
    times: (u64, u64),
}

impl Detector for DriverChecksum {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[UNSUPPORTED_PROTOCOL],
            needs: &[EvidenceKind::KernelLog],
            summary: "a driver cannot finish the checksums of a protocol",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, _so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            unchecked: unchecked(window).into_iter().collect(),
            ..Outcome::default()
        };
        let mut groups = groups(window);
        if groups.len() > MOST_FINDINGS {
            outcome.unchecked.push(Unchecked {
                check: NAME,
                partly: true,
                reason: format!("only the {MOST_FINDINGS} most frequent protocols are shown"),
            });
            groups.truncate(MOST_FINDINGS);
        }
        let findings = groups.iter().map(|group| finding(window, group));
        outcome.findings.extend(findings);
        outcome
    }
}

/// The complaints of the window's log, the most frequent first.
fn groups(window: &EvidenceWindow) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(Option<(NetnsId, u32)>, Refused), Group<'_>> = BTreeMap::new();
    for entry in window.kernel_log.value().into_iter().flatten() {
        let Some(complaint) = Complaint::parse(&entry.text) else {
            continue;
        };
        let (link, confidence) = device(window, &complaint);
        let key = link.map(|link| (link.netns, link.ifindex));
        let group = groups
            .entry((key, complaint.refused))
            .or_insert_with(|| Group {
                refused: complaint.refused,
                link,
                confidence,
                complaints: Vec::new(),
                count: 0,
                times: (entry.at_ms, entry.at_ms),
            });
        group.count += 1;
        group.times.0 = group.times.0.min(entry.at_ms);
        group.times.1 = group.times.1.max(entry.at_ms);
        group.confidence = group.confidence.min(confidence);
        if group.complaints.len() < wording::SHOWN && !group.complaints.contains(&complaint) {
            group.complaints.push(complaint);
        }
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// Which NIC of this node a line is about. The log belongs to the kernel, which several nodes may share: a device that
/// is none of ours may be another's.
fn device<'a>(
    window: &'a EvidenceWindow,
    complaint: &Complaint<'_>,
) -> (Option<&'a Link>, Confidence) {
    let fits = |link: &&Link| {
        let driver = link.driver.as_deref();
        link.kind.is_none() && driver.is_none_or(|driver| complaint.driver == Some(driver))
    };
    let nics = || window.links().iter().filter(fits);
    let mut named = nics().filter(|link| complaint.names(&link.name));
    if let Some(link) = named.next() {
        // Names may repeat in namespaces; drivers with hardware seldom do.
        let is_sure = link.driver.is_some() && named.next().is_none();
        let confidence = if is_sure {
            Confidence::Likely
        } else {
            Confidence::Possible
        };
        return (Some(link), confidence);
    }
    // A line with the bus address alone: the driver's only NIC.
    let mut of_driver = nics().filter(|link| link.driver.is_some());
    match (of_driver.next(), of_driver.next()) {
        (Some(link), None) if !complaint.has_interface => (Some(link), Confidence::Likely),
        _ => (None, Confidence::Possible),
    }
}

fn finding(window: &EvidenceWindow, group: &Group<'_>) -> Finding {
    let subject = match group.link {
        Some(link) => Subject::of_link(link, window.namespace(link.netns)),
        None => Subject::default(),
    };
    let subject = subject.with_protocol(group.refused.to_string());
    let text = wording::text(group);
    let mut finding = Finding::new(NAME, UNSUPPORTED_PROTOCOL, Severity::Warning, subject, text);
    finding.confidence = group.confidence;
    finding.count = group.count;
    (finding.first_ms, finding.last_ms) = group.times;
    wording::describe(&mut finding, window, group);
    finding
}

fn unchecked(window: &EvidenceWindow) -> Option<Unchecked> {
    let reason = window.kernel_log.missing()?;
    Some(Unchecked {
        check: NAME,
        partly: window.kernel_log.value().is_some(),
        reason: format!("kernel log: {reason}"),
    })
}
