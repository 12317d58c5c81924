//! The words of a run, held against what the nodes have found.

use netdiag_crds::{
    NodeNetDiagnosisStatus, conditions,
    harm::{Harm, Suffering},
    report::{Finding, RunResult, Unchecked, state},
};

use super::{Random, cluster::Cluster};
use crate::{diagnosis::turning_points, stored_report, testing};

/// Anything that an agent of this release, of an older or of a newer one may write.
pub(super) fn findings(random: &mut Random) -> Vec<Finding> {
    const CAUSES: [(&str, &str); 5] = [
        ("LinkMtu", "PeerMtuSmaller"),
        ("ChecksumDrop", "PartialChecksumLost"),
        ("FragmentReassembly", "FragmentLoss"),
        ("OtherDrop", "A_REASON"),
        ("NewCheck", "NewCause"),
    ];
    const SEVERITIES: [&str; 6] = ["Info", "Info", "Info", "Info", "Warning", "Critical"];
    let count = random.below(3);
    let findings = (0..count).map(|_| {
        let mut pick = |bound: usize| {
            let bound = u64::try_from(bound).expect("small");
            usize::try_from(random.below(bound)).expect("small")
        };
        let (check, cause) = CAUSES[pick(CAUSES.len())];
        let harm = match pick(Harm::ALL.len() + 2) {
            0 => None,
            1 => Some("Catastrophe".to_owned()),
            known => Some(Harm::ALL[known - 2].as_str().to_owned()),
        };
        Finding {
            harm,
            decision: pick(4) == 0,
            connections_died: pick(3) == 0,
            packets: (pick(3) > 0).then_some(7),
            ..testing::finding(check, cause, SEVERITIES[pick(SEVERITIES.len())])
        }
    });
    findings.collect()
}

/// Now and then a check that could not be made.
pub(super) fn unchecked(random: &mut Random) -> Vec<Unchecked> {
    let unchecked = Unchecked {
        check: "LinkMtu".to_owned(),
        partly: random.one_in(2),
        too_rare: false,
        reason: "the kernel has no BTF".to_owned(),
    };
    if random.one_in(6) {
        vec![unchecked]
    } else {
        Vec::new()
    }
}

fn is_urgent(finding: &Finding) -> bool {
    !finding.decision && finding.severity != "Info"
}

/// True where the text claims that packets are lost or connections fail.
fn claims_loss(text: &str) -> bool {
    let negations = ["no proven loss", "no loss"];
    let claims = negations
        .iter()
        .fold(text.to_owned(), |text, negation| text.replace(negation, ""));
    let words = ["loss", "lost", "fail", "get through", "gets through"];
    words.iter().any(|word| claims.contains(word))
}

impl Cluster {
    /// The results of the run's nodes that have ended well.
    fn finished(&self, status: &NodeNetDiagnosisStatus) -> Vec<&RunResult> {
        let run = self.run();
        let members = status.members.iter().flatten();
        let known = self.known();
        let there = members.filter(|name| known.nodes.contains_key(*name));
        let results =
            there.filter_map(|name| stored_report::result(known.reports.get(name)?, &run));
        results
            .filter(|result| result.state == state::FINISHED)
            .collect()
    }

    /// All that must hold of the words of a status that is about to be stored.
    pub(super) fn check_words(&self, status: &NodeNetDiagnosisStatus) {
        let results = self.finished(status);
        let findings = || results.iter().flat_map(|result| &result.findings);
        let counts = status.nodes.as_ref().expect("always there");
        let summary = status.summary.as_ref().expect("always there");
        let top = summary.top_finding.as_str();
        let mut all = status.conditions.iter();
        let present = all.find(|condition| condition.type_ == conditions::FINDINGS_PRESENT);
        let present = present.expect("always there");

        let is_affected = |result: &&&RunResult| result.findings.iter().any(is_urgent);
        let affected = results.iter().filter(is_affected).count();
        assert_eq!(usize::try_from(counts.affected), Ok(affected), "{status:?}");
        assert_eq!(present.status == "True", affected > 0, "{present:?}");

        let harms = findings().filter(|finding| !finding.decision);
        let is_loss = harms.clone().any(|finding| finding.harm().is_loss());
        let summaries = status.findings.iter().map(|found| found.summary.as_str());
        for text in summaries.chain([top, present.message.as_str()]) {
            assert!(is_loss || !claims_loss(text), "no finding is loss: {text}");
        }
        let worst = harms.filter(|finding| is_urgent(finding));
        let worst = worst.map(Finding::suffering).max();
        let is_first = |clause| present.message.starts_with(clause);
        let outage = |connections_died| Suffering {
            harm: Harm::Outage,
            connections_died,
        };
        for (words, died) in [
            ("connections fail on", true),
            ("packets do not get through on", false),
        ] {
            assert_eq!(is_first(words), worst == Some(outage(died)), "{present:?}");
        }
        if worst == Some(Harm::Loss.into()) {
            assert!(is_first("packets lost on"), "{present:?}");
        }

        const REFUSED: &str = "refused as meant";
        let decided = findings().any(|finding| finding.decision);
        if decided {
            assert!(present.message.contains(REFUSED), "{present:?}");
            assert!(top.is_empty() || top.contains(REFUSED), "{top}");
        }
        for text in [top, &present.message] {
            let first = text.split("; ").next().unwrap_or_default();
            assert!(!first.contains(REFUSED), "{text}");
        }

        let all_looked = results.iter().all(|result| {
            let mut unchecked = result.unchecked.iter();
            unchecked.all(|unchecked| unchecked.partly)
        });
        let selected = usize::try_from(counts.selected).unwrap_or_default();
        if present.status == "False" {
            assert!(all_looked, "a node could not look: {present:?}");
            assert_eq!(
                results.len(),
                selected,
                "a node did not report: {present:?}"
            );
        }
        self.check_events(status, worst.map(|worst| worst.harm));
    }

    /// An event is worded from a harm that there is, and says that it ended only where that is known.
    fn check_events(&self, status: &NodeNetDiagnosisStatus, worst: Option<Harm>) {
        let before = self.diagnosis.status.as_ref();
        for point in turning_points::between(before, status, 35) {
            if point.reason.ends_with("Found") {
                assert!(worst.is_some(), "{point:?}");
                let harms = self.finished(status);
                let harms = harms.iter().flat_map(|result| &result.findings);
                let mut urgent = harms.filter(|finding| is_urgent(finding));
                let is_true = urgent.any(|finding| match finding.harm() {
                    Harm::None | Harm::Cost | Harm::Unknown => point.reason == "FaultFound",
                    harm => point.reason == format!("{}Found", harm.as_str()),
                });
                assert!(is_true, "{point:?}");
            }
            if point.reason.ends_with("Ended") {
                assert_eq!(worst, None, "{point:?}");
                let known = status.conditions.iter().any(|condition| {
                    condition.type_ == conditions::FINDINGS_PRESENT && condition.status == "False"
                });
                assert!(known, "{point:?}");
            }
        }
    }
}

#[test]
fn negations_claim_no_loss_and_claims_do() {
    for text in [
        "no loss found on 2 nodes",
        "no proven loss; 7 drops",
        "x, no loss by it",
    ] {
        assert!(!claims_loss(text), "{text}");
    }
    for text in [
        "packets lost on 1 node",
        "connections fail on 1",
        "packets do not get through on 1",
        "no loss on a, lost on b",
    ] {
        assert!(claims_loss(text), "{text}");
    }
}
