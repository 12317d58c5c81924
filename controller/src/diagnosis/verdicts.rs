//! The conditions of a diagnosis.

use netdiag_crds::{
    conditions::{Status, reasons},
    report::Mode,
    severity::Severity,
};

use super::{outcome::Outcome, phrase, sentences, view::View};

/// Status, reason and message of a condition.
pub type Verdict = (Status, &'static str, String);

impl View<'_> {
    /// `Progressing`: work is going on.
    pub fn progressing(&self) -> Verdict {
        let (selected, reported) = (self.selected(), self.reported());
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

    /// `Complete`: no more is to come.
    pub fn complete(&self) -> Verdict {
        let (selected, reported) = (self.selected(), self.reported());
        if !self.is_complete() {
            let (reason, message) = match self.run.mode {
                _ if self.is_suspended() => (reasons::SUSPENDED, "spec.suspend is set"),
                Mode::Once => (reasons::RUNNING, "not every node has reported yet"),
                Mode::Continuous => (
                    reasons::RUNNING,
                    "a continuous diagnosis runs until it is deleted",
                ),
            };
            return (Status::False, reason, message.to_owned());
        }
        if selected == 0 {
            let (reason, message) =
                if self.roster.names.is_empty() && self.roster.left_out.count > 0 {
                    let message = "no agent can be on any node that spec.nodes selects";
                    (reasons::NO_NODES_SELECTED, message)
                } else if self.roster.names.is_empty() {
                    (reasons::NO_NODES_SELECTED, "spec.nodes selects no node")
                } else {
                    (reasons::NODES_DELETED, "every selected node was deleted")
                };
            return (Status::True, reason, message.to_owned());
        }
        let of = format!("{reported} of {} reported", phrase::nodes(selected));
        if reported < selected {
            let rest = selected - reported;
            let message = format!("{of}; nothing is known of the other {rest}");
            return (Status::True, reasons::GRACE_PERIOD_OVER, message);
        }
        let seconds = self.run.elapsed;
        (
            Status::True,
            reasons::ALL_REPORTED,
            format!("{of} in {seconds} s"),
        )
    }

    /// `FindingsPresent`: nodes are affected. The reason of `True` is how urgent it is; the message says who suffers what.
    pub fn findings_present(&self) -> Verdict {
        let (selected, reported) = (self.selected(), self.reported());
        if reported == 0 {
            return (
                Status::Unknown,
                reasons::NO_REPORT_YET,
                "no node has reported".to_owned(),
            );
        }
        let mut message = sentences::message(self.outcome, &self.standings, self.asked);
        let unheard = selected.saturating_sub(reported);
        if self.is_answered() && unheard > 0 {
            message += &format!("; nothing is known of {}", phrase::nodes(unheard));
        }
        let is_seen = self.standings.blind == 0 && unheard == 0;
        match self.outcome {
            Outcome::Affected if self.worst == Some(Severity::Warning) => {
                (Status::True, reasons::WARNING, message)
            }
            Outcome::Affected => (Status::True, reasons::CRITICAL, message),
            _ if !self.is_answered() => (
                Status::Unknown,
                reasons::RUNNING,
                format!("{message}, so far"),
            ),
            _ if !is_seen => (Status::Unknown, reasons::NODES_UNCHECKED, message),
            Outcome::Minor(..) => (Status::False, reasons::NOTHING_TO_ACT_ON, message),
            Outcome::LostUnasked(_) => (Status::False, reasons::NOT_ASKED_FOR, message),
            Outcome::Unseen | Outcome::Untold(_) | Outcome::Unexplained(_) => {
                (Status::False, reasons::NO_PROVEN_LOSS, message)
            }
            Outcome::Costly(_) | Outcome::NoLoss => (Status::False, reasons::NO_LOSS, message),
        }
    }

    /// `Degraded`: something could not be looked at.
    pub fn degraded(&self) -> Verdict {
        let (status, reason, message) = self.gaps();
        let left_out = self.roster.left_out.clause();
        let clauses: Vec<String> = [message].into_iter().chain(left_out).collect();
        (status, reason, clauses.join("; "))
    }

    fn gaps(&self) -> Verdict {
        if let Some((reason, message)) = self.gaps.describe() {
            return (Status::True, reason, message);
        }
        if self.is_answered() && !self.members.is_empty() {
            let message = "every check was made on every node".to_owned();
            return (Status::False, reasons::ALL_CHECKED, message);
        }
        if self.is_complete() {
            let reason = if self.roster.names.is_empty() {
                reasons::NO_NODES_SELECTED
            } else {
                reasons::NODES_DELETED
            };
            return (
                Status::False,
                reason,
                "no node was to be checked".to_owned(),
            );
        }
        (
            Status::Unknown,
            reasons::RUNNING,
            "nothing is missing so far".to_owned(),
        )
    }
}
