//! Neighbours that do not answer for their link layer address, and a table of neighbours that is full.

mod table_full;
#[cfg(test)]
mod tests;
mod text;
mod unanswered;

use self::{table_full::FullTable, unanswered::Unanswered};
use super::{
    Detector,
    kit::{Evidence, Need, explained_by},
};
use crate::{
    Window,
    causes::{Check, NEIGHBOUR, NEIGHBOUR_TABLE_FULL, UNANSWERED},
    evidence::{DropCount, NeighbourTable, NeighbourTables},
    finding::{Finding, Outcome, Subject, Unchecked},
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Links, "addresses of neighbours"),
    Need::all(Evidence::Drops, "drop probe"),
];

/// The `Neighbour` check.
pub(super) struct Neighbour;

/// A version of the Internet Protocol, each with a table of neighbours of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V4,
    V6,
}

impl Version {
    fn of(key: &DropCount) -> Option<Self> {
        match key.ethertype {
            ETH_P_IP => Some(Self::V4),
            ETH_P_IPV6 => Some(Self::V6),
            _ => None,
        }
    }

    fn table(self, tables: &NeighbourTables) -> Option<NeighbourTable> {
        match self {
            Self::V4 => tables.ipv4,
            Self::V6 => tables.ipv6,
        }
    }

    /// The subject of this version: IPv6 is named.
    fn named(self, subject: Subject) -> Subject {
        match self {
            Self::V4 => subject,
            Self::V6 => subject.with_protocol("IPv6"),
        }
    }
}

impl Detector for Neighbour {
    fn check(&self) -> &'static Check {
        &NEIGHBOUR
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for full in table_full::faults(window, so_far) {
            outcome.extend(of_table(window, &full));
        }
        for silent in unanswered::faults(window, so_far) {
            outcome.extend(of_neighbour(window, &silent));
        }
        let unread =
            table_full::unread(window, so_far).map(|reason| Unchecked::in_part(&NEIGHBOUR, reason));
        outcome.unchecked.extend(unread);
        outcome
    }
}

fn of_table(window: &Window<'_>, full: &FullTable<'_>) -> Outcome {
    let subject = full.version.named(Subject::default());
    let assessment = full.assessment.clone();
    let text = text::full_table(window, full);
    let mut finding = Finding::new(&NEIGHBOUR_TABLE_FULL, assessment, subject, text);
    finding.confidence = full.confidence;
    finding.evidence = text::table_proofs(full);
    finding.details = text::places(full);
    finding.remedies = text::table_remedies(full);
    explained_by(finding, window, &full.tally)
}

fn of_neighbour(window: &Window<'_>, silent: &Unanswered<'_>) -> Outcome {
    let subject = Subject::of_place(silent.link, Some(silent.namespace));
    let subject = silent.version.named(subject);
    let assessment = silent.assessment.clone();
    let text = text::unanswered(window, silent, &subject);
    let mut finding = Finding::new(&UNANSWERED, assessment, subject, text);
    finding.evidence = text::neighbour_proofs(window, silent);
    finding.remedies = text::neighbour_remedies(silent);
    explained_by(finding, window, &silent.tally)
}
