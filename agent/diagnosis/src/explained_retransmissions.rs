//! TCP retransmissions that drops on this node explain.
//!
//! The probe joins a segment that is sent again to the drop of its earlier copy. A finding that explains drops
//! knows how many retransmissions they caused, at least: what was translated on its way, or dropped before the probe
//! was attached, is not recognised.

use std::collections::{HashMap, HashSet};

use crate::{
    Window,
    evidence::{DropCount, DropPlace, OnDemand},
    finding::{FindingId, Outcome, Proof, Verdict},
    kernel::hook,
};

/// The retransmissions that some drops explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    /// Segments sent again.
    pub(crate) segments: u64,
    /// Of those, 200 ms or more after the drop.
    pub(crate) late: u64,
    /// All segments that were sent again meanwhile, for whatever reason.
    pub(crate) of: u64,
    /// The time in which the probe watched, milliseconds after the start of the window.
    watched: (u64, u64),
}

impl Explained {
    /// Finds what these drop keys explain; `None` where the probe saw nothing of the kind or did not run.
    pub(crate) fn by(window: &Window<'_>, drops: &[usize]) -> Option<Self> {
        let OnDemand::Ran {
            from_ms,
            until_ms,
            value,
            ..
        } = &window.retransmissions
        else {
            return None;
        };
        let counts = &window.drops.value()?.counts;
        let keys = drops.iter().filter_map(|drop| counts.get(*drop));
        let places: HashSet<DropPlace<'_>> = keys.map(DropCount::place).collect();
        let (mut segments, mut late) = (0_u64, 0_u64);
        for row in places
            .iter()
            .flat_map(|place| window.retransmitted_after(place))
        {
            segments = segments.saturating_add(row.segments);
            late = late.saturating_add(row.late);
        }
        (segments > 0).then_some(Self {
            segments,
            late,
            of: value.segments.max(segments),
            watched: (*from_ms, *until_ms),
        })
    }

    fn proofs(self) -> [Proof; 2] {
        const SOURCE: &str = hook::TCP_RETRANSMIT_SKB;
        let (from, until) = (self.watched.0 / 1_000, self.watched.1.div_ceil(1_000));
        [
            Proof::new(
                format!("retransmissions from second {from} to {until} that drops here explain"),
                format!("at least {} of {}", self.segments, self.of),
                "segments",
                SOURCE,
            ),
            Proof::new(
                "of these, sent again 200 ms or more after the drop",
                self.late,
                "segments",
                SOURCE,
            ),
        ]
    }
}

/// Adds to each finding how many retransmissions the lost packets explain that it claims: of a loss, and of what a setting
/// refuses.
pub(crate) fn prove(window: &Window<'_>, outcome: &mut Outcome) {
    let mut claimed: HashMap<&FindingId, Vec<(usize, Verdict)>> = HashMap::new();
    for claim in outcome.claims.iter() {
        if let Some(finding) = &claim.finding {
            let drop = (claim.drop, claim.verdict);
            claimed.entry(finding).or_default().push(drop);
        }
    }
    for finding in &mut outcome.findings {
        let is_decision = finding.assessment.is_decision();
        let claimed = claimed.get(&finding.id).into_iter().flatten();
        let lost = claimed.filter(|(_, verdict)| is_decision || *verdict == Verdict::Harmful);
        let lost: Vec<usize> = lost.map(|(drop, _)| *drop).collect();
        if let Some(explained) = Explained::by(window, &lost) {
            finding.evidence.extend(explained.proofs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EvidenceWindow,
        causes::Mechanism,
        evidence::{ExplainedRetransmissions, Retransmissions},
        finding::{Assessment, Claim, Decision, Finding, Harm, Subject},
        testing::{NODE, POD, ipv4_drops, proofs, text, window},
    };

    fn row(key: &DropCount, segments: u64, late: u64) -> ExplainedRetransmissions {
        ExplainedRetransmissions {
            netns: key.netns,
            ifindex: key.ifindex,
            ethertype: key.ethertype,
            reason: key.reason.clone(),
            location: key.location.clone(),
            segments,
            late,
        }
    }

    /// Two devices that dropped, each of which explains some retransmissions.
    fn two_places() -> EvidenceWindow {
        let keys = [
            ipv4_drops(NODE, 2, "FULL_RING", "tap_handle_frame", 50),
            ipv4_drops(POD, 2, "FULL_RING", "tap_handle_frame", 9),
        ];
        let explained = vec![row(&keys[0], 40, 12), row(&keys[1], 7, 0)];
        let mut window = window(Vec::new(), keys.to_vec());
        window.retransmissions = OnDemand::Ran {
            question: String::new(),
            from_ms: 2_100,
            until_ms: 8_001,
            value: Retransmissions {
                segments: 64,
                explained,
                ..Retransmissions::default()
            },
        };
        window
    }

    fn claimed(verdict: Verdict) -> Outcome {
        let finding = Finding::new(
            Mechanism::Kernel("X".to_owned()),
            Assessment::none(),
            Subject::default(),
            text(),
        );
        Outcome {
            claims: [Claim {
                drop: 0,
                verdict,
                protocol: None,
                finding: Some(finding.id.clone()),
            }]
            .into_iter()
            .collect(),
            findings: vec![finding],
            ..Outcome::default()
        }
    }

    #[test]
    fn a_finding_tells_what_its_own_drops_explain() {
        let mut outcome = claimed(Verdict::Harmful);
        prove(&Window::of(&two_places()), &mut outcome);
        assert_eq!(
            proofs(&outcome.findings[0]),
            [
                (
                    "retransmissions from second 2 to 9 that drops here explain",
                    "at least 40 of 64"
                ),
                ("of these, sent again 200 ms or more after the drop", "12"),
            ]
        );
    }

    #[test]
    fn what_a_setting_refused_is_sent_again_too() {
        let mut outcome = claimed(Verdict::Unknown);
        outcome.findings[0].assessment = Assessment::decided(Decision::Setting, Harm::Loss, 50);
        prove(&Window::of(&two_places()), &mut outcome);
        assert_eq!(proofs(&outcome.findings[0])[0].1, "at least 40 of 64");
    }

    #[test]
    fn what_nobody_misses_explains_nothing() {
        for verdict in [Verdict::Benign, Verdict::Unknown] {
            let mut outcome = claimed(verdict);
            prove(&Window::of(&two_places()), &mut outcome);
            assert_eq!(proofs(&outcome.findings[0]), []);
        }
    }

    #[test]
    fn places_add_up_and_other_packets_of_the_device_do_not_count() {
        let mut window = two_places();
        let explained = |window: &EvidenceWindow, drops: &[usize]| {
            Explained::by(&Window::of(window), drops)
                .map(|explained| (explained.segments, explained.late))
        };
        assert_eq!(explained(&window, &[0, 1]), Some((47, 12)));
        assert_eq!(explained(&window, &[7]), None);
        crate::testing::drops_of(&mut window).counts[0].ethertype = 0x86dd;
        assert_eq!(explained(&window, &[0]), None);
    }

    #[test]
    fn without_the_probe_nothing_is_said() {
        let mut window = two_places();
        window.retransmissions = OnDemand::default();
        assert_eq!(Explained::by(&Window::of(&window), &[0]), None);
    }
}
