//! The status of a diagnosis, from how far its nodes are.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisStatus,
    conditions::{self, Status, reasons},
    diagnosis::{FleetCounter, FleetFinding, NodeCounts, Omitted, Summary},
    limits,
    report::Mode,
    severity::Severity,
};

use super::{
    decide::Member,
    degraded::{self, Gaps},
    node_findings, phrase,
    progress::State,
    rollup::{self, Reporter},
    run::Run,
};

/// The whole status.
pub fn build(
    diagnosis: &NodeNetDiagnosis,
    run: &Run,
    members: &[Member<'_>],
    missing: &[&str],
    now: Timestamp,
) -> NodeNetDiagnosisStatus {
    let least = diagnosis.spec.min_severity;
    let reporters = reporters(members);
    let ledger = rollup::ledger(&reporters);
    let (findings, findings_left_out) = rollup::findings(&reporters, least, &ledger);
    let (node_findings, nodes_left_out) = node_findings::fit(&reporters, least);
    let view = View {
        run,
        members,
        least,
        gaps: Gaps::of(&diagnosis.spec, members, missing),
        ledger: &ledger,
        findings: &findings,
        reporters: &reporters,
        placed: members.iter().filter(|member| member.has_place).count(),
    };
    let previous = diagnosis
        .status
        .as_ref()
        .map_or(&[][..], |status| status.conditions.as_slice());
    let generation = diagnosis.metadata.generation;
    let conditions: Vec<Condition> = [
        (conditions::PROGRESSING, view.progressing()),
        (conditions::COMPLETE, view.complete()),
        (conditions::FINDINGS_PRESENT, view.findings_present()),
        (conditions::DEGRADED, view.degraded()),
    ]
    .into_iter()
    .map(|(type_, (status, reason, message))| {
        let message = phrase::cut(&message, limits::PARAGRAPH);
        conditions::condition(previous, type_, status, reason, message, generation, now)
    })
    .collect();
    let omitted = (findings_left_out > 0 || nodes_left_out > 0).then(|| Omitted {
        nodes: count(nodes_left_out),
        findings: count(findings_left_out),
    });
    NodeNetDiagnosisStatus {
        observed_generation: generation,
        run_generation: Some(run.generation),
        run_inputs: Some(run.inputs.clone()),
        nodes_frozen: run.frozen,
        summary: Some(view.summary(conditions::is_true(&conditions, conditions::DEGRADED))),
        nodes: Some(view.counts()),
        conditions,
        ledger,
        findings,
        node_findings,
        omitted,
        start_time: run.start.map(Time),
        completion_time: run.completion.map(Time),
    }
}

/// Whether the stored status says the same. The API server may keep a map list in another order.
pub fn is_same(stored: Option<&NodeNetDiagnosisStatus>, status: &NodeNetDiagnosisStatus) -> bool {
    let sorted = |status: &NodeNetDiagnosisStatus| {
        let mut status = status.clone();
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status.node_findings.sort_by(|a, b| a.name.cmp(&b.name));
        status
    };
    stored.is_some_and(|stored| sorted(stored) == sorted(status))
}

fn reporters<'a>(members: &[Member<'a>]) -> Vec<Reporter<'a>> {
    members
        .iter()
        .filter_map(|member| match member.progress.state {
            State::Finished(result) => Some(Reporter {
                name: member.name,
                node: member.node,
                report: member.report?,
                result,
            }),
            State::Pending | State::Failed(_) | State::Unreachable(_) | State::Refused => None,
        })
        .collect()
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Status, reason and message of a condition.
type Verdict = (Status, &'static str, String);

/// What the conditions and the columns are derived from.
struct View<'a> {
    run: &'a Run,
    members: &'a [Member<'a>],
    least: Severity,
    gaps: Gaps<'a>,
    ledger: &'a [FleetCounter],
    findings: &'a [FleetFinding],
    reporters: &'a [Reporter<'a>],
    /// Members that have been given their part.
    placed: usize,
}

impl View<'_> {
    fn is_complete(&self) -> bool {
        self.run.completion.is_some()
    }

    /// Whether what is there is the answer: a continuous diagnosis has one at any time.
    fn is_answered(&self) -> bool {
        self.is_complete()
            || self.run.mode == Mode::Continuous && self.reporters.len() == self.members.len()
    }

    fn is_suspended(&self) -> bool {
        self.run.suspended || self.run.start.is_none()
    }

    fn affected(&self) -> usize {
        let worst = |reporter: &&Reporter<'_>| reporter.worst(self.least) > Some(Severity::Info);
        self.reporters.iter().filter(worst).count()
    }

    fn worst(&self) -> Option<Severity> {
        self.reporters
            .iter()
            .filter_map(|reporter| reporter.worst(self.least))
            .max()
    }

    /// No node was looked at in full: nothing found is then no sign of health.
    fn could_not_look(&self) -> bool {
        !self.reporters.is_empty()
            && self
                .reporters
                .iter()
                .all(|reporter| degraded::is_blind(reporter.result))
    }

    fn progressing(&self) -> Verdict {
        let (selected, reported) = (self.members.len(), self.reporters.len());
        if self.is_complete() {
            return (
                Status::False,
                reasons::COMPLETED,
                "nothing left to do".to_owned(),
            );
        }
        if self.is_suspended() {
            let message = match self.run.start {
                None => "not started: spec.suspend is set".to_owned(),
                Some(_) => format!(
                    "spec.suspend ended the windows; {reported} of {} reported before",
                    phrase::nodes(selected)
                ),
            };
            return (Status::False, reasons::SUSPENDED, message);
        }
        if self.placed < selected {
            let message = format!(
                "{} of {} have their assignment",
                self.placed,
                phrase::nodes(selected)
            );
            return (Status::True, reasons::ASSIGNING, message);
        }
        let window = self.run.window_seconds;
        let message = match self.run.mode {
            Mode::Once => format!(
                "{reported} of {} reported, window {window} s",
                phrase::nodes(selected)
            ),
            Mode::Continuous => format!(
                "{reported} of {} report every {window} s",
                phrase::nodes(selected)
            ),
        };
        (Status::True, reasons::RUNNING, message)
    }

    fn complete(&self) -> Verdict {
        let (selected, reported) = (self.members.len(), self.reporters.len());
        let Some(completion) = self.run.completion else {
            let (reason, message) = match self.run.mode {
                _ if self.is_suspended() => (reasons::SUSPENDED, "spec.suspend is set"),
                Mode::Once => (reasons::RUNNING, "not every node has reported yet"),
                Mode::Continuous => (
                    reasons::RUNNING,
                    "a continuous diagnosis runs until it is deleted",
                ),
            };
            return (Status::False, reason, message.to_owned());
        };
        if selected == 0 {
            return (
                Status::True,
                reasons::NO_NODES_SELECTED,
                "spec.nodes selects no node".to_owned(),
            );
        }
        let of = format!("{reported} of {} reported", phrase::nodes(selected));
        if reported < selected {
            let rest = selected - reported;
            let message = format!("{of}; nothing is known of the other {rest}");
            return (Status::True, reasons::GRACE_PERIOD_OVER, message);
        }
        let start = self.run.start.unwrap_or(completion);
        let seconds = completion.as_second().saturating_sub(start.as_second());
        (
            Status::True,
            reasons::ALL_REPORTED,
            format!("{of} in {seconds} s"),
        )
    }

    fn findings_present(&self) -> Verdict {
        let (affected, reported) = (self.affected(), self.reporters.len());
        if reported == 0 {
            return (
                Status::Unknown,
                reasons::NO_REPORT_YET,
                "no node has reported".to_owned(),
            );
        }
        let with_any = self
            .reporters
            .iter()
            .filter(|reporter| reporter.worst(self.least).is_some())
            .count();
        let (harmless, none) = (with_any - affected, reported - with_any);
        let message = if affected > 0 {
            format!(
                "loss on {}; of the others {harmless} have harmless findings, {none} none",
                phrase::nodes(affected)
            )
        } else {
            format!(
                "no loss found on {}; {harmless} have harmless findings, {none} none",
                phrase::nodes(reported)
            )
        };
        match self.worst() {
            Some(Severity::Critical) => (Status::True, reasons::CRITICAL, message),
            Some(Severity::Warning) => (Status::True, reasons::WARNING, message),
            Some(Severity::Info) | None if self.could_not_look() => (
                Status::Unknown,
                reasons::NODES_UNCHECKED,
                format!("{message}, but no node could be checked in full"),
            ),
            Some(Severity::Info) | None if self.is_answered() => {
                (Status::False, reasons::NO_LOSS, message)
            }
            Some(Severity::Info) | None => (
                Status::Unknown,
                reasons::RUNNING,
                format!("{message}, so far"),
            ),
        }
    }

    fn degraded(&self) -> Verdict {
        if let Some((reason, message)) = self.gaps.describe() {
            return (Status::True, reason, message);
        }
        if self.is_answered() && !self.members.is_empty() {
            let message = "every check was made on every node".to_owned();
            return (Status::False, reasons::ALL_CHECKED, message);
        }
        if self.is_complete() {
            return (
                Status::False,
                reasons::NO_NODES_SELECTED,
                "no node was to be checked".to_owned(),
            );
        }
        (
            Status::Unknown,
            reasons::RUNNING,
            "nothing is missing so far".to_owned(),
        )
    }

    fn counts(&self) -> NodeCounts {
        let in_state = |wanted: fn(&State<'_>) -> bool| {
            count(
                self.members
                    .iter()
                    .filter(|member| wanted(&member.progress.state))
                    .count(),
            )
        };
        NodeCounts {
            selected: count(self.members.len()),
            reported: in_state(|state| matches!(state, State::Finished(_) | State::Failed(_))),
            affected: count(self.affected()),
            unreachable: in_state(|state| matches!(state, State::Unreachable(_))),
            failed: in_state(|state| matches!(state, State::Failed(_))),
            refused: in_state(|state| matches!(state, State::Refused)),
        }
    }

    fn summary(&self, is_degraded: bool) -> Summary {
        let counts = self.counts();
        let state = if !self.is_complete() && self.is_suspended() {
            "Suspended"
        } else if is_degraded && (self.is_complete() || self.run.mode == Mode::Continuous) {
            "Degraded"
        } else if self.is_complete() {
            "Complete"
        } else {
            "Running"
        };
        let affected = if self.reporters.is_empty() {
            String::new()
        } else {
            counts.affected.to_string()
        };
        Summary {
            mode: self.run.mode.as_str().to_owned(),
            state: state.to_owned(),
            nodes: format!("{}/{}", counts.reported, counts.selected),
            affected,
            severity: self
                .worst()
                .map(Severity::as_str)
                .unwrap_or_default()
                .to_owned(),
            top_finding: phrase::cut(&self.top_finding(), limits::LINE),
        }
    }

    /// The worst finding, or that there is none; empty while neither is known.
    fn top_finding(&self) -> String {
        let unexplained = self.unexplained();
        if let Some(finding) = self.findings.first() {
            let headline = rollup::headline(finding);
            return match unexplained {
                Some(unexplained) if finding.severity == Severity::Info.as_str() => {
                    format!("{headline}; {unexplained}")
                }
                _ => headline,
            };
        }
        if self.members.is_empty() && self.run.start.is_some() {
            return "no node selected".to_owned();
        }
        if !self.is_answered() {
            return String::new();
        }
        if self.reporters.is_empty() {
            return "not known: no node reported".to_owned();
        }
        if let Some(unexplained) = unexplained {
            return unexplained;
        }
        if self.could_not_look() {
            return "not known: no node could be checked in full".to_owned();
        }
        let nodes = phrase::nodes(self.reporters.len());
        format!("none: no loss in {} s on {nodes}", self.run.window_seconds)
    }

    /// `37 rx_dropped unexplained`: the counter with most packets of which it is not known whom they hurt.
    fn unexplained(&self) -> Option<String> {
        let open = |counter: &FleetCounter| counter.unknown.saturating_add(counter.unexplained);
        let most = self.ledger.iter().max_by_key(|counter| open(counter))?;
        (open(most) > 0).then(|| format!("{} {} unexplained", open(most), most.counter))
    }
}

#[cfg(test)]
mod tests;
