//! A driver was asked to finish a checksum and cannot: it logs that and, with most drivers, sends the packet with the
//! checksum not filled in.

mod judge;
mod line;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use line::Complaint;

use self::judge::{Complaints, MOST_FINDINGS};
use super::{
    Detector,
    kit::{Evidence, Need},
};
use crate::{
    Window,
    causes::{Check, DRIVER_CHECKSUM, UNSUPPORTED_PROTOCOL},
    finding::{Finding, Outcome, Subject, Unchecked},
};

const NEEDS: &[Need] = &[Need::all(Evidence::KernelLog, "kernel log")];

/// The `DriverChecksum` check.
pub(super) struct DriverChecksum;

impl Detector for DriverChecksum {
    fn check(&self) -> &'static Check {
        &DRIVER_CHECKSUM
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, _so_far: &Outcome) -> Outcome {
        let groups = judge::groups(window);
        let shown = groups.iter().take(MOST_FINDINGS);
        let too_many = (groups.len() > MOST_FINDINGS)
            .then(|| Unchecked::in_part(&DRIVER_CHECKSUM, text::too_many(MOST_FINDINGS)));
        Outcome {
            findings: shown.map(|group| finding(window, group)).collect(),
            unchecked: too_many.into_iter().collect(),
            ..Outcome::default()
        }
    }
}

fn finding(window: &Window<'_>, group: &Complaints<'_>) -> Finding {
    let namespace = group.link.and_then(|link| window.namespace(link.netns));
    let subject = Subject::of_place(group.link, namespace).with_protocol(group.refused.to_string());
    let text = text::text(group);
    let mut finding = Finding::new(&UNSUPPORTED_PROTOCOL, group.assessment(), subject, text);
    finding.confidence = group.confidence;
    group.tally.measure(&mut finding);
    finding.evidence = text::proofs(group);
    finding.details = text::details(group);
    finding.remedies = text::remedies(window, group);
    finding
}
