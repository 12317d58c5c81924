//! The few moments of a run that people want to find in `kubectl describe`: not one for each node.

use netdiag_crds::{
    NodeNetDiagnosisStatus,
    conditions::{self, reasons},
    diagnosis::FleetFinding,
    harm::Harm,
    severity::Severity,
};

use super::{phrase, rollup};

/// A moment worth an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurningPoint {
    /// Something is wrong; otherwise it is news.
    pub is_warning: bool,
    /// One word.
    pub reason: &'static str,
    /// One sentence.
    pub note: String,
}

/// The turning points between one stored status and the next. `window_seconds` is the time that each node watches.
pub fn between(
    before: Option<&NodeNetDiagnosisStatus>,
    after: &NodeNetDiagnosisStatus,
    window_seconds: i32,
) -> Vec<TurningPoint> {
    // What an earlier run said is history.
    let before = before.filter(|before| {
        before.run_generation == after.run_generation && before.start_time.is_some()
    });
    let mut points = Vec::new();
    if before.is_none() && after.start_time.is_some() {
        let selected = after.nodes.as_ref().map_or(0, |nodes| nodes.selected);
        let nodes = phrase::nodes(usize::try_from(selected).unwrap_or_default());
        points.push(news(
            "Started",
            format!("{nodes} selected, window {window_seconds} s"),
        ));
    }
    let (worst_before, worst_after) = (before.and_then(worst), worst(after));
    match (worst_before, worst_after) {
        (before, Some(found)) if before.is_none_or(|before| is_worse(found, before)) => {
            let first = found.example_nodes.first().map_or("", String::as_str);
            let note = format!("{}, first on {first}", what(found));
            points.push(warning(reasons_of(found).found, note));
        }
        // With one window after another, a fault can be fixed while it is watched. That of a node that is not heard any
        // more, or cannot look, is not known to be.
        (Some(before), None) if is_false(after, conditions::FINDINGS_PRESENT) => {
            let note = "no node has a finding of Warning or worse any more";
            points.push(news(reasons_of(before).ended, note.to_owned()));
        }
        _ => {}
    }
    if let Some(message) = turned_true(before, after, conditions::DEGRADED) {
        points.push(warning(conditions::DEGRADED, message));
    }
    if let Some(message) = turned_true(before, after, conditions::COMPLETE) {
        let affected = after.nodes.as_ref().map_or(0, |nodes| nodes.affected);
        points.push(news(
            reasons::COMPLETED,
            format!("{message}, {affected} affected"),
        ));
    }
    points
}

/// `TapQueueDrop/ReceiveQueueFull`; where the cause is the kernel's own name, the words of the roll-up.
fn what(finding: &FleetFinding) -> String {
    let title = phrase::title(&finding.check, &finding.cause);
    match title == finding.check {
        true => format!("{title}: {}", finding.summary),
        false => title,
    }
}

/// Reasons of the Events about one harm.
struct Reasons {
    found: &'static str,
    ended: &'static str,
}

fn reasons_of(finding: &FleetFinding) -> Reasons {
    let (found, ended) = match rollup::harm(finding) {
        Harm::Outage => ("OutageFound", "OutageEnded"),
        Harm::Loss => ("LossFound", "LossEnded"),
        Harm::Delay => ("DelayFound", "DelayEnded"),
        // A newer agent's harm, or one that contradicts its own severity.
        Harm::Unknown | Harm::Cost | Harm::None => ("FaultFound", "FaultEnded"),
    };
    Reasons { found, ended }
}

/// The worst finding that makes a node affected. They are stored worst first.
fn worst(status: &NodeNetDiagnosisStatus) -> Option<&FleetFinding> {
    let mut findings = status.findings.iter();
    findings.find(|finding| !finding.decision && severity(finding) > Severity::Info)
}

/// Of a harm that an older CRD has no field for, nobody knows whether another one is worse.
fn is_worse(found: &FleetFinding, before: &FleetFinding) -> bool {
    let (severity_found, severity_before) = (severity(found), severity(before));
    let is_harm_worse = || rollup::harm(found) > rollup::harm(before);
    severity_found > severity_before
        || severity_found == severity_before && before.harm.is_some() && is_harm_worse()
}

fn severity(finding: &FleetFinding) -> Severity {
    Severity::from_status(&finding.severity)
}

fn is_false(status: &NodeNetDiagnosisStatus, type_: &str) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|condition| condition.type_ == type_ && condition.status == "False")
}

/// The message of a condition that holds now and did not before.
fn turned_true(
    before: Option<&NodeNetDiagnosisStatus>,
    after: &NodeNetDiagnosisStatus,
    type_: &str,
) -> Option<String> {
    if before.is_some_and(|before| conditions::is_true(&before.conditions, type_))
        || !conditions::is_true(&after.conditions, type_)
    {
        return None;
    }
    let mut conditions = after.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == type_)?;
    Some(condition.message.clone())
}

fn news(reason: &'static str, note: String) -> TurningPoint {
    TurningPoint {
        is_warning: false,
        reason,
        note,
    }
}

fn warning(reason: &'static str, note: String) -> TurningPoint {
    TurningPoint {
        is_warning: true,
        reason,
        note,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        apimachinery::pkg::apis::meta::v1::{Condition, Time},
        jiff::Timestamp,
    };
    use netdiag_crds::diagnosis::NodeCounts;

    use super::*;

    fn condition(type_: &str, status: &str) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: "R".to_owned(),
            message: format!("{type_} because"),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }
    }

    /// Nobody is affected, and that is known.
    fn quiet() -> NodeNetDiagnosisStatus {
        NodeNetDiagnosisStatus {
            run_generation: Some(1),
            start_time: Some(Time(Timestamp::UNIX_EPOCH)),
            nodes: Some(NodeCounts {
                selected: 300,
                affected: 12,
                ..NodeCounts::default()
            }),
            conditions: vec![condition(conditions::FINDINGS_PRESENT, "False")],
            ..NodeNetDiagnosisStatus::default()
        }
    }

    fn with(harm: &str, severity: &str) -> NodeNetDiagnosisStatus {
        let finding = FleetFinding {
            check: "LinkMtu".to_owned(),
            cause: "PeerMtuSmaller".to_owned(),
            harm: (!harm.is_empty()).then(|| harm.to_owned()),
            severity: severity.to_owned(),
            example_nodes: vec!["vm-03".to_owned(), "vm-04".to_owned()],
            ..FleetFinding::default()
        };
        NodeNetDiagnosisStatus {
            findings: vec![finding],
            ..quiet()
        }
    }

    fn told(
        before: Option<&NodeNetDiagnosisStatus>,
        after: &NodeNetDiagnosisStatus,
    ) -> Vec<String> {
        between(before, after, 35)
            .into_iter()
            .map(|point| format!("{} {}", point.reason, point.note))
            .collect()
    }

    #[test]
    fn a_run_starts_once() {
        assert_eq!(
            told(None, &quiet()),
            ["Started 300 nodes selected, window 35 s"]
        );
        assert!(told(Some(&quiet()), &quiet()).is_empty());
        let again = NodeNetDiagnosisStatus {
            run_generation: Some(2),
            ..quiet()
        };
        assert_eq!(told(Some(&quiet()), &again).len(), 1);
    }

    #[test]
    fn loss_is_told_when_it_is_found_when_it_gets_worse_and_when_it_ends() {
        let harmless = with("None", "Info");
        let (warned, critical) = (with("Loss", "Warning"), with("Loss", "Critical"));
        assert!(told(Some(&quiet()), &harmless).is_empty());
        let found = ["LossFound LinkMtu/PeerMtuSmaller, first on vm-03"];
        assert_eq!(told(Some(&harmless), &warned), found);
        assert!(told(Some(&warned), &warned).is_empty());
        assert_eq!(told(Some(&warned), &critical), found);
        assert!(told(Some(&critical), &warned).is_empty());
        assert!(told(Some(&warned), &quiet())[0].starts_with("LossEnded"));
    }

    #[test]
    fn what_the_kernel_names_is_told_in_words() {
        let mut found = with("Loss", "Warning");
        found.findings[0].check = "OtherDrop".to_owned();
        found.findings[0].cause = "PROTO_MEM".to_owned();
        found.findings[0].summary = "memory for sockets used up on 1 node".to_owned();
        assert_eq!(
            told(Some(&quiet()), &found),
            ["LossFound OtherDrop: memory for sockets used up on 1 node, first on vm-03"]
        );
    }

    #[test]
    fn the_reason_is_the_harm() {
        for (harm, reason) in [
            ("Outage", "Outage"),
            ("Loss", "Loss"),
            ("Delay", "Delay"),
            // A newer agent's word, and none at all.
            ("Catastrophe", "Fault"),
            ("", "Loss"),
        ] {
            let found = with(harm, "Warning");
            let begins = told(Some(&quiet()), &found);
            assert!(
                begins[0].starts_with(&format!("{reason}Found ")),
                "{begins:?}"
            );
            let ends = told(Some(&found), &quiet());
            assert!(ends[0].starts_with(&format!("{reason}Ended ")), "{ends:?}");
        }
        let (lost, dead) = (with("Loss", "Warning"), with("Outage", "Warning"));
        assert!(told(Some(&lost), &dead)[0].starts_with("OutageFound"));
        assert!(told(Some(&dead), &lost).is_empty());
        // Under an older CRD the harm is not stored, and each write would tell the same.
        assert!(told(Some(&with("", "Warning")), &dead).is_empty());
    }

    #[test]
    fn a_decision_is_no_turning_point() {
        let mut refused = with("Outage", "Critical");
        refused.findings[0].decision = true;
        assert!(told(Some(&quiet()), &refused).is_empty());
        assert!(told(Some(&refused), &quiet()).is_empty());
    }

    #[test]
    fn a_fault_of_a_node_that_is_not_heard_any_more_has_not_ended() {
        let unheard = NodeNetDiagnosisStatus {
            conditions: vec![condition(conditions::FINDINGS_PRESENT, "Unknown")],
            ..quiet()
        };
        assert!(told(Some(&with("Loss", "Critical")), &unheard).is_empty());
    }

    #[test]
    fn the_end_says_what_is_known_and_what_is_not() {
        let ended = NodeNetDiagnosisStatus {
            conditions: vec![condition("Degraded", "True"), condition("Complete", "True")],
            ..quiet()
        };
        assert_eq!(
            told(Some(&quiet()), &ended),
            [
                "Degraded Degraded because",
                "Complete Complete because, 12 affected"
            ]
        );
        assert!(between(Some(&quiet()), &ended, 35)[0].is_warning);
        assert!(told(Some(&ended), &ended).is_empty());
    }
}
