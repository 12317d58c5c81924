//! Frames that a bridge does not pass on because of the state or the flags of its ports.

mod judge;
#[cfg(test)]
mod tests;
mod text;

use self::judge::{Fault, Kind};
use super::{
    Detector,
    kit::{Evidence, Need, explained_by},
};
use crate::{
    Window,
    causes::{BRIDGE, Cause, Check, HAIRPIN_OFF, PORT_LOCKED, PORT_NOT_FORWARDING, PORTS_ISOLATED},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Links, "links"),
    Need::all(Evidence::Drops, "drop probe"),
];

/// The `Bridge` check.
pub(super) struct Bridge;

impl Detector for Bridge {
    fn check(&self) -> &'static Check {
        &BRIDGE
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for fault in judge::faults(window, so_far) {
            outcome.extend(explained(window, &fault));
        }
        outcome
    }
}

impl Kind {
    fn cause(&self) -> &'static Cause {
        match self {
            Self::NotForwarding(_) => &PORT_NOT_FORWARDING,
            Self::HairpinOff => &HAIRPIN_OFF,
            Self::Isolated(_) => &PORTS_ISOLATED,
            Self::Locked => &PORT_LOCKED,
        }
    }
}

fn explained(window: &Window<'_>, fault: &Fault<'_>) -> Outcome {
    let subject = Subject::of_link(fault.subject(), Some(fault.namespace));
    let text = text::text(window, fault);
    let mut finding = Finding::new(fault.kind.cause(), fault.assessment.clone(), subject, text);
    finding.confidence = fault.confidence;
    finding.evidence = text::proofs(fault);
    finding.remedies = text::remedies(fault);
    explained_by(finding, window, &fault.tally)
}
