//! Everything that detectors conclude from a window.

use super::{Claim, Claims, Finding, FindingId, Unchecked, Verdict};

/// The conclusions of one detector, or of all detectors so far.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Proved symptoms.
    pub findings: Vec<Finding>,
    /// The drops that they explain.
    pub claims: Claims,
    /// The checks that could not be made.
    pub unchecked: Vec<Unchecked>,
}

impl Outcome {
    /// The finding with this id.
    pub fn finding(&self, id: &FindingId) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.id == *id)
    }

    /// One finding that explains these drops, each with its verdict.
    pub(crate) fn explained(
        finding: Finding,
        verdicts: impl IntoIterator<Item = (usize, Verdict)>,
    ) -> Self {
        let claims = verdicts.into_iter().map(|(drop, verdict)| Claim {
            drop,
            verdict,
            protocol: finding.subject.protocol.clone(),
            finding: Some(finding.id.clone()),
        });
        Self {
            claims: claims.collect(),
            findings: vec![finding],
            unchecked: Vec::new(),
        }
    }

    /// One finding that explains these drops, each of them missed by somebody.
    pub(crate) fn of_loss(finding: Finding, drops: &[usize]) -> Self {
        let verdicts = drops.iter().map(|drop| (*drop, Verdict::Harmful));
        Self::explained(finding, verdicts)
    }

    /// Adds what another detector said.
    pub fn extend(&mut self, other: Self) {
        let Self {
            findings,
            claims,
            unchecked,
        } = other;
        self.claims.extend(claims);
        self.findings.extend(findings);
        self.unchecked.extend(unchecked);
    }
}
