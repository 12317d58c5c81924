//! TCP behind an inline segment routing header: what receive offload does not join, and what segmentation offload
//! makes the kernel drop.
//!
//! Inline mode puts the header between IPv6 and TCP (`seg6_do_srh_inline`). Encapsulation leaves the inner packet as it
//! was, and both offloads work.

mod judge;
#[cfg(test)]
mod tests;
mod text;

use self::judge::{BadSuperFrames, Unmerged};
use super::{
    Detector,
    kit::{Evidence, Need, say},
};
use crate::{
    Window,
    causes::{Check, SEGMENT_OFFLOAD, SEGMENT_ROUTING_GRO, SEGMENT_ROUTING_GSO},
    finding::{Assessment, Culprit, Finding, Harm, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    // Kernels without reasons do not look at super-frames so closely, and drop none.
    Need::part(Evidence::ReasonedDrops, "super-frames on their way out"),
    Need::all(Evidence::Links, "links"),
    Need::part(Evidence::ReceiveOffload, "packets that come in"),
];

/// The `SegmentOffload` check.
pub(super) struct SegmentOffload;

impl Detector for SegmentOffload {
    fn check(&self) -> &'static Check {
        &SEGMENT_OFFLOAD
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let unmerged = judge::unmerged(window);
        let mut outcome = Outcome {
            findings: unmerged
                .iter()
                .map(|found| unmerged_finding(window, found))
                .collect(),
            ..Outcome::default()
        };
        for frames in judge::bad_super_frames(window, so_far) {
            let finding = super_frame_finding(window, &frames);
            outcome.extend(Outcome::of_loss(finding, &frames.tally.keys));
        }
        outcome
    }
}

fn unmerged_finding(window: &Window<'_>, found: &Unmerged<'_>) -> Finding {
    let subject = Subject::of_link(found.link, Some(found.namespace));
    let text = text::unmerged(window, found);
    let assessment = Assessment::of(Harm::Cost).by(Culprit::Here);
    let mut finding = Finding::new(&SEGMENT_ROUTING_GRO, assessment, subject, text);
    finding.confidence = found.confidence;
    found.tally.measure(&mut finding);
    finding.evidence = text::unmerged_proofs(window, found);
    finding.remedies = text::unmerged_remedies();
    finding
}

fn super_frame_finding(window: &Window<'_>, found: &BadSuperFrames<'_>) -> Finding {
    let subject = Subject::of_link(found.link, Some(found.namespace));
    let assessment = judge::super_frame_assessment(window, found);
    let text = text::super_frames(window, found, &assessment);
    let mut finding = Finding::new(&SEGMENT_ROUTING_GSO, assessment, subject, text);
    found.tally.measure(&mut finding);
    finding.evidence = text::super_frame_proofs(window, found);
    finding.details = say::flows(window, &found.tally).collect();
    finding.remedies = text::super_frame_remedies(found);
    finding
}
