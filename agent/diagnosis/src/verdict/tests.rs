//! The order of answers, and what keeps one from being given.

use super::*;
use crate::{
    causes::{BRIDGE_PORT, CHECKS, CORRUPTION, LINK_MTU, NO_RECEIVER, PROMISCUITY, RING_FULL},
    evidence::{NetnsId, Observed},
    finding::{Assessment, Decision, Subject, Unchecked, Unmade},
    ledger::Booking,
    testing::{text, unavailable, window},
};

fn of(harm: Harm) -> Finding {
    let assessment = Assessment::of(harm).with_packets(2);
    Finding::new(&CORRUPTION, assessment, Subject::default(), text())
}

fn diagnosis(findings: Vec<Finding>) -> Diagnosis {
    Diagnosis {
        findings,
        checks: CHECKS.to_vec(),
        ..Diagnosis::default()
    }
}

/// The name of the answer, and the harms that it is about.
fn answer(findings: Vec<Finding>) -> (&'static str, Vec<Harm>) {
    let diagnosis = diagnosis(findings);
    let window = window(Vec::new(), Vec::new());
    let verdict = Verdict::of(&diagnosis, &window);
    let harms = verdict.findings().into_iter();
    (
        name(&verdict),
        harms.map(|one| one.assessment.harm).collect(),
    )
}

fn name(verdict: &Verdict<'_>) -> &'static str {
    match verdict {
        Verdict::Affected(_) => "affected",
        Verdict::Withheld(_) => "withheld",
        Verdict::Slight(_) => "slight",
        Verdict::Unserved(_) => "unserved",
        Verdict::Open(_) => "open",
        Verdict::Costly(_) => "costly",
        Verdict::Clear => "clear",
    }
}

#[test]
fn the_worst_harm_answers() {
    let nobody = || {
        let mut finding = of(Harm::Outage);
        finding.assessment.is_towards_nobody = true;
        finding
    };
    let mut all = vec![of(Harm::None)];
    assert_eq!(answer(all.clone()), ("clear", vec![]));
    all.push(of(Harm::Cost));
    assert_eq!(answer(all.clone()), ("costly", vec![Harm::Cost]));
    all.push(of(Harm::Unknown));
    assert_eq!(answer(all.clone()), ("open", vec![Harm::Unknown]));
    all.push(nobody());
    assert_eq!(answer(all.clone()), ("unserved", vec![Harm::Outage]));
    all.push(of(Harm::Loss));
    assert_eq!(answer(all.clone()), ("slight", vec![Harm::Loss]));
    all.push(of(Harm::Outage));
    assert_eq!(answer(all), ("affected", vec![Harm::Outage]));
}

#[test]
fn decisions_are_never_the_answer() {
    let decided = |harm| {
        let assessment =
            Assessment::decided(Decision::Rule, harm, 500).with_flows(vec!["a".to_owned()]);
        Finding::new(&CORRUPTION, assessment, Subject::default(), text())
    };
    let findings: Vec<Finding> = Harm::ALL.into_iter().map(decided).collect();
    assert_eq!(answer(findings.clone()), ("clear", vec![]));
    let decisions = Aside::of(&diagnosis(findings)).decisions;
    assert_eq!(decisions, BTreeMap::from([(Decision::Rule, 3_000)]));
}

#[test]
fn a_cause_is_one_problem_and_what_explains_another_is_none() {
    let on = |name: &str, cause| {
        let subject = Subject {
            interface: Some(name.to_owned()),
            ..Subject::default()
        };
        Finding::new(cause, Assessment::of(Harm::Loss), subject, text())
    };
    let mut effect = on("eth0", &RING_FULL);
    let cause = on("eth1", &CORRUPTION);
    effect.caused_by = vec![cause.id.clone()];
    let findings = vec![cause, effect, on("eth2", &RING_FULL)];
    let problems = Problem::all_of(&findings);
    let told: Vec<(&str, usize)> = problems
        .iter()
        .map(|problem| (problem.finding.cause.name(), problem.alike))
        .collect();
    assert_eq!(told, [("RingFull", 1)]);
}

fn row(explained: Vec<Booking>, unexplained: u64) -> LedgerEntry {
    LedgerEntry {
        interface: Some("eth0".to_owned()),
        ifindex: Some(2),
        netns: NetnsId(1),
        place: None,
        counter: "rx_dropped",
        increase: 10,
        explained,
        unexplained,
        uncertainty: 0,
    }
}

fn booked(count: u64, verdict: finding::Verdict, finding: Option<&Finding>) -> Booking {
    Booking {
        reason: "X".to_owned(),
        protocol: None,
        count,
        verdict,
        finding: finding.map(|finding| finding.id.clone()),
    }
}

#[test]
fn the_ledger_proves_no_loss_and_hides_nothing() {
    use finding::Verdict::{Benign, Harmful, Unknown};
    let known = of(Harm::None);
    let mut diagnosis = diagnosis(vec![known.clone()]);
    let window = window(Vec::new(), Vec::new());
    let bookings = vec![
        booked(1, Benign, None),
        booked(2, Harmful, None),
        booked(3, Unknown, Some(&known)),
    ];
    diagnosis.ledger = vec![row(bookings, 0)];
    assert_eq!(Verdict::of(&diagnosis, &window), Verdict::Clear);
    let aside = Aside::of(&diagnosis);
    assert_eq!((aside.not_asked, aside.unexplained.packets), (2, 0));
    diagnosis
        .ledger
        .push(row(vec![booked(4, Unknown, None)], 5));
    assert_eq!(Verdict::of(&diagnosis, &window), Verdict::Open(Vec::new()));
    let unexplained = Aside::of(&diagnosis).unexplained;
    assert_eq!((unexplained.packets, unexplained.counters), (9, 1));
}

#[test]
fn what_asks_for_an_act_is_told_even_by_a_run_that_saw_little() {
    let mut diagnosis = diagnosis(vec![of(Harm::Outage)]);
    diagnosis.unmatched = Some(Unmatched::default());
    let window = window(Vec::new(), Vec::new());
    assert_eq!(name(&Verdict::of(&diagnosis, &window)), "affected");
    diagnosis.findings = vec![of(Harm::Loss)];
    assert_eq!(name(&Verdict::of(&diagnosis, &window)), "withheld");
}

#[test]
fn a_run_is_blind_for_the_first_reason_that_holds() {
    let unmade = |is_made| Unchecked {
        check: &LINK_MTU,
        unmade: if is_made { Unmade::Part } else { Unmade::All },
        reason: "x".to_owned(),
    };
    let mut diagnosis = diagnosis(vec![]);
    let mut window = window(Vec::new(), Vec::new());
    let is_whole = |diagnosis: &Diagnosis, window: &EvidenceWindow| {
        Blind::of(diagnosis, window).map(|blind| blind.is_of_the_whole_run())
    };
    diagnosis.unchecked = vec![unmade(true)];
    assert_eq!(is_whole(&diagnosis, &window), None, "in part");
    diagnosis.unchecked.push(unmade(false));
    assert_eq!(is_whole(&diagnosis, &window), Some(false), "one check");
    window.drops = unavailable("EPERM");
    assert_eq!(
        Blind::of(&diagnosis, &window),
        Some(Blind::NoDropProbe { reason: "EPERM" })
    );
    window.links = unavailable("EPERM");
    assert_eq!(
        Blind::of(&diagnosis, &window),
        Some(Blind::NoCounters { reason: "EPERM" })
    );
    window.duration_ms = 400;
    let interrupted = |asked_ms| {
        Some(Blind::Interrupted {
            after_ms: 400,
            asked_ms,
        })
    };
    assert_eq!(Blind::of(&diagnosis, &window), interrupted(None));
    diagnosis.ended_before_ms = Some(9_000);
    assert_eq!(Blind::of(&diagnosis, &window), interrupted(Some(9_000)));
    let unmatched = Unmatched::default();
    diagnosis.unmatched = Some(unmatched.clone());
    assert_eq!(
        Blind::of(&diagnosis, &window),
        Some(Blind::NoInterface(&unmatched))
    );
}

#[test]
fn a_drop_probe_that_no_check_needed_is_no_reason() {
    let mut diagnosis = diagnosis(vec![]);
    diagnosis.checks = vec![&PROMISCUITY];
    let mut window = window(Vec::new(), Vec::new());
    window.drops = unavailable("EPERM");
    assert_eq!(Blind::of(&diagnosis, &window), None);
    window.links = Observed::Complete { value: Vec::new() };
    assert_eq!(Verdict::of(&diagnosis, &window), Verdict::Clear);
    let harmless = [&BRIDGE_PORT, &NO_RECEIVER]
        .map(|cause| Finding::new(cause, Assessment::none(), Subject::default(), text()));
    diagnosis.findings = harmless.to_vec();
    assert_eq!(Verdict::of(&diagnosis, &window).severity(), Severity::Info);
}
