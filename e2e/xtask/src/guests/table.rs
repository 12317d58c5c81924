//! The table that a run ends with: scenario by kernel.

use std::collections::BTreeSet;
use std::fmt;

use super::Outcome;
use super::results::Verdict;
use super::score::Score;

/// One column a kernel.
pub struct Table<'a>(pub &'a [Outcome]);

impl Table<'_> {
    /// Every scenario that some kernel ran.
    pub fn scenarios(&self) -> BTreeSet<&str> {
        let all = self.0.iter().flat_map(|outcome| &outcome.results.scenarios);
        all.map(|scenario| scenario.name.as_str()).collect()
    }

    /// Scenarios that failed or that a guest did not get to; a kernel that ran none counts as one.
    pub fn failed(&self) -> usize {
        let of = |outcome: &Outcome| {
            let nothing = usize::from(outcome.results.scenarios.is_empty());
            outcome.results.failed().count().max(nothing)
        };
        self.0.iter().map(of).sum()
    }

    /// The score of all kernels together.
    fn score(&self) -> Score {
        Score::of(self.0.iter().flat_map(|outcome| &outcome.results.scenarios))
    }

    fn count(&self, wanted: fn(&Verdict) -> bool) -> usize {
        let all = self.0.iter().flat_map(|outcome| &outcome.results.scenarios);
        all.filter(|scenario| wanted(&scenario.verdict)).count()
    }
}

/// A verdict in one word.
pub fn word(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "ok",
        Some(Verdict::Failed) => "FAILED",
        Some(Verdict::Skipped(_)) => "SKIP",
        None => "-", // not chosen for this kernel
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scenarios = self.scenarios();
        let width = scenarios.iter().map(|name| name.len()).max().unwrap_or(8);
        write!(f, "{:width$}", "SCENARIO")?;
        for outcome in self.0 {
            write!(f, "  {:8}", outcome.kernel)?;
        }
        writeln!(f)?;
        for name in &scenarios {
            write!(f, "{name:width$}")?;
            for outcome in self.0 {
                write!(f, "  {:8}", word(outcome.results.verdict(name)))?;
            }
            writeln!(f)?;
        }
        write!(f, "{:width$}", "seconds")?;
        for outcome in self.0 {
            write!(f, "  {:<8}", outcome.took.as_secs())?;
        }
        writeln!(f)?;
        for outcome in self.0.iter().filter(|outcome| !outcome.note.is_empty()) {
            writeln!(f, "{}: {}", outcome.kernel, outcome.note)?;
        }
        for outcome in self.0 {
            for scenario in &outcome.results.scenarios {
                if let Verdict::Skipped(why) = &scenario.verdict {
                    writeln!(f, "skipped: {} on {}: {why}", scenario.name, outcome.kernel)?;
                }
            }
        }
        for (what, score) in self.score().lines() {
            writeln!(f, "{what}: {score}")?;
        }
        let passed = self.count(|verdict| *verdict == Verdict::Passed);
        let skipped = self.count(|verdict| matches!(verdict, Verdict::Skipped(_)));
        let failed = self.failed();
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::kernel::Kernel;
    use super::super::results::Results;
    use super::*;

    fn outcome(kernel: Kernel, text: &str) -> Outcome {
        Outcome {
            kernel,
            release: kernel.to_string(),
            results: Results::read(text),
            recordings: Vec::new(),
            took: Duration::from_secs(90),
            note: String::new(),
        }
    }

    #[test]
    fn what_a_dead_guest_did_not_get_to_counts_as_failed_and_what_was_not_chosen_does_not() {
        let both = "test kernels::a ... ok\ntest kernels::b ... ok\nexit=0";
        let mut outcomes = [
            outcome(Kernel::V6_1, both),
            outcome(Kernel::V6_12, "test kernels::a ... ok\n"),
            outcome(Kernel::V5_10, ""),
        ];
        assert_eq!(Table(&outcomes[..2]).failed(), 0);
        let text = Table(&outcomes[..2]).to_string();
        assert!(text.contains("b  ok        -"), "{text}");
        assert_eq!(Table(&outcomes[2..]).failed(), 1);
        outcomes[1]
            .results
            .add_missing("b", "the guest ended early");
        let text = Table(&outcomes[..2]).to_string();
        assert!(text.contains("b  ok        FAILED"), "{text}");
        assert!(text.ends_with("3 passed, 1 failed, 0 skipped"), "{text}");
    }
}
