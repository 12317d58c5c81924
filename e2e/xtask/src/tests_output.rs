//! Reads what Rust's test harness prints: counts, failed names, and the tests that skipped themselves.

/// The counts that one or more test programs reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    /// Name and reason of each test that could not run here.
    pub skipped: Vec<(String, String)>,
    pub failures: Vec<String>,
}

impl Counts {
    /// Reads the output of a test program. A test that cannot run here passes for the harness and
    /// prints `SKIP <name>: <why>`.
    pub fn read(output: &str) -> Self {
        let mut counts = Self::default();
        let mut lines = output.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(result) = line.strip_prefix("test result: ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
            }
            if line == "failures:" {
                // Twice: above what the failed tests printed, which starts unindented, and above
                // their names.
                while let Some(name) = lines.next_if(|line| line.starts_with("    ")) {
                    counts.failures.push(name.trim().to_owned());
                }
            }
            // Uncaptured output starts behind the harness's own "test name ... ".
            let printed = line.split_once(" ... ").map_or(line, |(_, rest)| rest);
            if let Some(skip) = printed.strip_prefix("SKIP ") {
                let (name, why) = skip.split_once(": ").unwrap_or((skip, "no reason given"));
                counts.skipped.push((name.to_owned(), why.to_owned()));
            }
        }
        counts.passed = counts.passed.saturating_sub(counts.skipped.len());
        counts
    }

    /// Adds another program's counts.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
    }
}

fn number_before(text: &str, word: &str) -> usize {
    text.split_once(word)
        .and_then(|(before, _)| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_results_and_names_failures() {
        let output = "running 2 tests\n\
            test ledger::balances ... ok\n\
            test ledger::books ... not balanced\nFAILED\n\
            \n\
            failures:\n\
            \n\
            ---- ledger::books stdout ----\n\
            \n\
            failures:\n    ledger::books\n\
            \n\
            test result: FAILED. 1 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let counts = Counts::read(output);
        assert_eq!((counts.passed, counts.failed), (13, 1));
        assert_eq!(counts.failures, ["ledger::books"]);
    }

    #[test]
    fn a_skipped_test_is_no_passed_one() {
        let output = "test live::bond ... SKIP live::bond: this kernel has no bonding\nok\n\
            SKIP live::kprobe: no kprobes\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let counts = Counts::read(output);
        assert_eq!(counts.passed, 1);
        assert_eq!(counts.skipped.len(), 2);
        assert_eq!(counts.skipped[0].1, "this kernel has no bonding");
    }
}
