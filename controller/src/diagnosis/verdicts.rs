//! The conditions of a diagnosis.

use netdiag_crds::{
    conditions::{Status, reasons},
    report::Mode,
    severity::Severity,
};

use super::{phrase, view::View};

/// Status, reason and message of a condition.
pub type Verdict = (Status, &'static str, String);

impl View<'_> {
    /// `Progressing`: work is going on.
    pub fn progressing(&self) -> Verdict {
        let (selected, reported) = (self.selected(), self.reporters.len());
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
        let (selected, reported) = (self.selected(), self.reporters.len());
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
            let (reason, message) = if self.roster.names.is_empty() {
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

    /// `FindingsPresent`: packets are lost.
    pub fn findings_present(&self) -> Verdict {
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
        let message = if affected == reported {
            format!("loss on {}", phrase::nodes(affected))
        } else if affected > 0 {
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

    /// `Degraded`: something could not be looked at.
    pub fn degraded(&self) -> Verdict {
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
