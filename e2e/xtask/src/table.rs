//! The table and the closing line that a test run ends with.

use std::fmt;
use std::time::Duration;

use crate::tests_output::Counts;

/// One step of the run.
pub struct Row {
    pub step: String,
    pub took: Duration,
    /// `cached`, `built`, or nothing for a step that makes nothing.
    pub made: &'static str,
    pub counts: Counts,
    /// Why it failed or was skipped.
    pub note: String,
}

impl Row {
    /// A step that makes something and tests nothing.
    pub fn made(step: &str, took: Duration, made: &'static str) -> Self {
        Self {
            step: step.to_owned(),
            took,
            made,
            counts: Counts::default(),
            note: String::new(),
        }
    }

    /// A whole suite or step that failed without counts of its own.
    pub fn failed(step: &str, took: Duration, note: impl Into<String>) -> Self {
        Self {
            counts: Counts {
                failed: 1,
                failures: vec![step.to_owned()],
                ..Counts::default()
            },
            note: note.into(),
            ..Self::made(step, took, "")
        }
    }

    /// A suite that cannot run here. It counts as one.
    pub fn skipped(step: &str, why: &str) -> Self {
        Self {
            counts: Counts {
                skipped: vec![(step.to_owned(), why.to_owned())],
                ..Counts::default()
            },
            note: format!("SKIP: {why}"),
            ..Self::made(step, Duration::ZERO, "")
        }
    }
}

/// All steps, in the order they ran.
#[derive(Default)]
pub struct Table(pub Vec<Row>);

impl Table {
    pub fn failed(&self) -> usize {
        self.0.iter().map(|row| row.counts.failed).sum()
    }

    pub fn skipped(&self) -> usize {
        self.0.iter().map(|row| row.counts.skipped.len()).sum()
    }

    /// Whole suites that did not run.
    pub fn suites_skipped(&self) -> usize {
        let whole = |row: &&Row| row.counts.skipped.iter().any(|(name, _)| *name == row.step);
        self.0.iter().filter(whole).count()
    }

    /// The line that CI systems read, whatever ran before it.
    pub fn closing_line(&self) -> String {
        let passed: usize = self.0.iter().map(|row| row.counts.passed).sum();
        format!(
            "{passed} passed, {} failed, {} skipped",
            self.failed(),
            self.skipped()
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|row| row.step.len()).max().unwrap_or(4);
        writeln!(
            f,
            "{:width$}  SECONDS  MADE    PASSED  FAILED  SKIPPED  NOTE",
            "STEP"
        )?;
        for row in &self.0 {
            let line = format!(
                "{:width$}  {:>7.1}  {:6}  {:>6}  {:>6}  {:>7}  {}",
                row.step,
                row.took.as_secs_f64(),
                row.made,
                row.counts.passed,
                row.counts.failed,
                row.counts.skipped.len(),
                row.note
            );
            writeln!(f, "{}", line.trim_end())?;
            for name in row.counts.failures.iter().filter(|name| **name != row.step) {
                writeln!(f, "{:width$}    failed: {name}", "")?;
            }
            for (name, why) in row
                .counts
                .skipped
                .iter()
                .filter(|(name, _)| *name != row.step)
            {
                writeln!(f, "{:width$}    skipped: {name}: {why}", "")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line_adds_up_all_rows() {
        let counts = Counts {
            passed: 7,
            failed: 1,
            failures: vec!["live::lldp".to_owned()],
            ..Counts::default()
        };
        let table = Table(vec![
            Row::made("bpf-linker", Duration::from_secs(3), "built"),
            Row {
                counts,
                ..Row::made("unit", Duration::from_secs(1), "")
            },
            Row::skipped("live kernel", "not root"),
        ]);
        assert_eq!(table.closing_line(), "7 passed, 1 failed, 1 skipped");
        assert_eq!(table.suites_skipped(), 1);
        let text = table.to_string();
        assert!(text.contains("failed: live::lldp"), "{text}");
        assert!(text.contains("SKIP: not root"), "{text}");
    }
}
