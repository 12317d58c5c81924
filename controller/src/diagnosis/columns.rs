//! The columns of a diagnosis in `kubectl get`, and the counts behind them.

use netdiag_crds::{
    diagnosis::{FleetCounter, NodeCounts, Summary},
    limits,
    report::Mode,
    severity::Severity,
};

use super::{phrase, progress::State, rollup, view::View};

impl View<'_> {
    /// The columns of `kubectl get`.
    pub fn summary(&self, is_degraded: bool) -> Summary {
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

    /// How many nodes are in which state.
    pub fn counts(&self) -> NodeCounts {
        let in_state = |wanted: fn(&State<'_>) -> bool| {
            count(
                self.members
                    .iter()
                    .filter(|member| wanted(&member.progress.state))
                    .count(),
            )
        };
        NodeCounts {
            selected: count(self.selected()),
            reported: in_state(|state| matches!(state, State::Finished(_) | State::Failed(_))),
            affected: count(self.affected()),
            unreachable: in_state(|state| matches!(state, State::Unreachable(_))),
            failed: in_state(|state| matches!(state, State::Failed(_))),
            refused: in_state(|state| matches!(state, State::Refused)),
            not_assigned: in_state(|state| matches!(state, State::NotAssigned))
                .saturating_add(count(self.roster.omitted)),
            ..NodeCounts::default()
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
        if self.selected() == 0 && self.run.start.is_some() {
            return if self.roster.names.is_empty() {
                "no node selected".to_owned()
            } else {
                "not known: every selected node was deleted".to_owned()
            };
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

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
