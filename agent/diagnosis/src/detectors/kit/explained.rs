//! Findings about drops, with all that their keys tell, and drops of which no finding tells.

use super::{Tally, proof, say};
use crate::{
    Window,
    finding::{Claim, Finding, Outcome, Verdict},
};

/// The finding with the number of these drops and their times, each key as proof behind its own proofs, and their flows
/// behind its own details; and its claims to these drops.
pub(crate) fn explained_by(mut finding: Finding, window: &Window<'_>, tally: &Tally) -> Outcome {
    finding.details.extend(say::flows(window, tally));
    explained_but_flows(finding, window, tally)
}

/// The same without flows: those of the keys are not all of this finding.
pub(crate) fn explained_but_flows(
    mut finding: Finding,
    window: &Window<'_>,
    tally: &Tally,
) -> Outcome {
    let verdict = finding.assessment.verdict();
    tally.measure(&mut finding);
    finding.evidence.extend(proof::drops(window, tally));
    Outcome::explained(finding, tally.keys.iter().map(|key| (*key, verdict)))
}

/// Claims on drops that nobody misses and no finding tells of: a counter that they raised has no open part.
pub(crate) fn untold(tally: &Tally) -> impl Iterator<Item = Claim> {
    tally.keys.iter().map(|drop| Claim {
        drop: *drop,
        verdict: Verdict::Benign,
        protocol: None,
        finding: None,
    })
}
