//! The columns of a diagnosis in `kubectl get`, and the counts behind them.

use netdiag_crds::{
    diagnosis::{NodeCounts, Summary},
    limits,
    report::Mode,
    severity::Severity,
};

use super::{outcome::Outcome, phrase, progress::State, sentences, view::View};

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
        let affected = if self.reported() == 0 {
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
                .worst
                .map(Severity::as_str)
                .unwrap_or_default()
                .to_owned(),
            top_finding: phrase::cut(&self.top_finding(), limits::LINE),
        }
    }

    /// The number of nodes in each state.
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
            affected: count(self.standings.affected()),
            unreachable: in_state(|state| matches!(state, State::Unreachable(_))),
            failed: in_state(|state| matches!(state, State::Failed(_))),
            refused: in_state(|state| matches!(state, State::Refused)),
            not_assigned: in_state(|state| matches!(state, State::NotAssigned))
                .saturating_add(count(self.roster.omitted)),
            not_covered: self.roster.left_out.count,
        }
    }

    /// The worst finding, or that there is none; empty while neither is known. What was decided comes last.
    fn top_finding(&self) -> String {
        let Some(first) = self.first_clause() else {
            return String::new();
        };
        let mut clauses = vec![first];
        let standings = &self.standings;
        match self.outcome {
            Outcome::Affected | Outcome::Minor(..) | Outcome::Unseen => {}
            _ if standings.blind > 0 => clauses.push(sentences::blind(standings)),
            _ => {}
        }
        clauses.extend(self.loose_clause());
        clauses.extend(sentences::decisions(standings));
        clauses.join("; ")
    }

    fn first_clause(&self) -> Option<String> {
        if self.selected() == 0 && self.run.start.is_some() {
            let text = if self.roster.names.is_empty() {
                "no node selected"
            } else {
                "not known: every selected node was deleted"
            };
            return Some(text.to_owned());
        }
        let is_answered = self.is_answered();
        if self.reported() == 0 {
            return is_answered.then(|| "not known: no node reported".to_owned());
        }
        let worst = self.findings.first();
        let worst = worst.filter(|rolled| !rolled.finding.decision);
        let headline = worst.map(|rolled| rolled.headline.clone());
        let answer = match self.outcome {
            Outcome::Affected | Outcome::Minor(..) => return headline,
            // While it runs, a finding is shown when its node has reported, and nothing is forecast.
            _ if !is_answered => return headline,
            Outcome::Unseen => {
                let why = sentences::first_blind(&self.standings);
                "not known: no node could be checked in full".to_owned() + &why
            }
            // What matters of drops that cannot be told apart is that no loss is proven.
            Outcome::Untold(share) if share.packets > 0 => sentences::untold(share),
            Outcome::LostUnasked(packets) => sentences::lost_unasked(packets),
            _ if headline.is_some() => return headline,
            Outcome::Untold(share) => sentences::untold(share),
            Outcome::Unexplained(packets) => {
                format!("no proven loss; {}", sentences::unexplained(packets))
            }
            Outcome::Costly(_) | Outcome::NoLoss => self.none(),
        };
        Some(answer)
    }

    /// Packets that nothing explains, beside a finding that hides no loss.
    fn loose_clause(&self) -> Option<String> {
        let is_said = match self.outcome {
            Outcome::Affected | Outcome::Minor(..) => true,
            Outcome::Unexplained(_) => self
                .findings
                .first()
                .is_none_or(|rolled| rolled.finding.decision),
            _ => false,
        };
        let unexplained = self.loose.unexplained.filter(|_| !is_said);
        unexplained.map(sentences::unexplained)
    }

    /// That nothing was found, as far as that can be said.
    fn none(&self) -> String {
        let blind = self.standings.blind;
        let nodes = phrase::nodes(self.reported() - blind);
        let scope = self.asked.scope();
        if blind > 0 {
            return format!("none found on {nodes}{scope}");
        }
        let window = self.run.window_seconds;
        format!("none: no loss in {window} s on {nodes}{scope}")
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
