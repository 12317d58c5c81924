//! Reads what a guest wrote: the output of Rust's test harness, and the init's last line.

use std::collections::BTreeSet;

use super::measures::Measures;

/// The end of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// It cannot be made on this kernel, and why.
    Skipped(String),
}

/// One scenario on one kernel.
#[derive(Debug)]
pub struct Scenario {
    /// Without the module that all have in common.
    pub name: String,
    pub verdict: Verdict,
    /// The scenario's output.
    pub output: String,
    /// `Check/Cause` of each finding in the agent's report.
    pub found: BTreeSet<String>,
    /// `Check: reason` where the agent could not check all.
    pub unchecked: BTreeSet<String>,
    pub measures: Measures,
    /// It is a healthy look-alike of a fault, in which nothing is to be found.
    pub twin: bool,
    /// Its verdict was printed; false for the one in which a guest died.
    pub ended: bool,
}

/// All scenarios of a guest.
#[derive(Debug, Default)]
pub struct Results {
    pub scenarios: Vec<Scenario>,
    /// The guest got to its end.
    pub complete: bool,
}

impl Results {
    /// Reads the output. Verdicts come first, one a line; what tests printed follows, each part under its test's name.
    pub fn read(text: &str) -> Self {
        let mut results = Self::default();
        let mut current = None;
        for line in text.lines().map(str::trim_end) {
            if let Some((name, verdict)) = verdict_line(line) {
                let ended = verdict.is_some();
                let verdict = verdict.unwrap_or(Verdict::Failed);
                results.scenarios.push(Scenario::new(name, verdict, ended));
            } else if let Some(name) = output_of(line) {
                current = results.scenarios.iter().position(|one| one.name == name);
            } else if matches!(line, "successes:" | "failures:") {
                current = None;
            } else if line.starts_with("exit=") {
                results.complete = true;
            } else if let Some(scenario) =
                current.and_then(|index| results.scenarios.get_mut(index))
            {
                scenario.add(line);
            }
        }
        results
    }

    /// Adds what another boot of the same kernel showed. What it ran again counts instead of the first try.
    pub fn add(&mut self, other: Self) {
        self.scenarios
            .retain(|one| other.scenario(&one.name).is_none());
        self.scenarios.extend(other.scenarios);
        self.complete = other.complete;
    }

    /// Counts a scenario that no guest got to as a failure, and says why.
    pub fn add_missing(&mut self, name: &str, why: &str) {
        if let Some(found) = self.scenarios.iter_mut().find(|one| one.name == name) {
            if !found.ended {
                found.output = format!("{why}\n{}", found.output);
            }
            return;
        }
        let mut missing = Scenario::new(name, Verdict::Failed, false);
        missing.output = format!("not run: {why}\n");
        self.scenarios.push(missing);
    }

    pub fn failed(&self) -> impl Iterator<Item = &Scenario> {
        let failed = |scenario: &&Scenario| scenario.verdict == Verdict::Failed;
        self.scenarios.iter().filter(failed)
    }

    /// The verdict on the scenario, if the guest got that far.
    pub fn verdict(&self, name: &str) -> Option<&Verdict> {
        self.scenario(name).map(|scenario| &scenario.verdict)
    }

    /// The time that the scenario's agent took from the begin of the fault to its report, in seconds.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        self.scenario(name)?.measures.seconds
    }

    /// The result of the scenario, if a guest got to it.
    pub fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }
}

impl Scenario {
    fn new(name: &str, verdict: Verdict, ended: bool) -> Self {
        Self {
            name: name.to_owned(),
            verdict,
            twin: false,
            ended,
            output: String::new(),
            found: BTreeSet::new(),
            unchecked: BTreeSet::new(),
            measures: Measures::default(),
        }
    }

    fn add(&mut self, line: &str) {
        if let Some(cause) = line.strip_prefix("FOUND ") {
            self.found.insert(cause.to_owned());
        } else if let Some(reason) = line.strip_prefix("UNCHECKED ") {
            self.unchecked.insert(reason.to_owned());
        } else if let Some(skip) = line.strip_prefix("SKIP ") {
            let why = skip.split_once(": ").map_or(skip, |(_, why)| why);
            self.verdict = Verdict::Skipped(why.to_owned());
        } else if line == "TWIN" {
            self.twin = true;
        } else {
            self.measures.add(line);
            self.output.push_str(line);
            self.output.push('\n');
        }
    }
}

/// `test kernels::NAME ... ok`; no verdict behind it means that the guest or the scenario's process died there.
fn verdict_line(line: &str) -> Option<(&str, Option<Verdict>)> {
    let (name, verdict) = line.strip_prefix("test kernels::")?.split_once(" ...")?;
    let verdict = match verdict.trim() {
        "ok" => Some(Verdict::Passed),
        "" => None,
        _ => Some(Verdict::Failed),
    };
    Some((name, verdict))
}

/// `---- kernels::NAME stdout ----`.
fn output_of(line: &str) -> Option<&str> {
    line.strip_prefix("---- kernels::")?
        .strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_and_what_was_printed_come_together() {
        let text = "\nrunning 3 tests\r\n\
            test kernels::bonds::lacp ... FAILED\r\n\
            test kernels::nics::alone ... ok\r\n\
            test kernels::nics::vlan ... ok\r\n\
            \r\nsuccesses:\r\n\r\n\
            ---- kernels::nics::alone stdout ----\r\n\
            FOUND UnhandledProtocol/NoReceiver\r\n\
            ---- kernels::nics::vlan stdout ----\r\n\
            SKIP vlan: no module 8021q\r\n\
            \r\nsuccesses:\r\n    kernels::nics::alone\r\n\
            \r\nfailures:\r\n\r\n\
            ---- kernels::bonds::lacp stdout ----\r\n\
            UNCHECKED OtherDrop: no drop reasons\r\n\
            thread panicked: 40 is not 20\r\n\
            \r\nfailures:\r\n    kernels::bonds::lacp\r\n\
            exit=101\r\n";
        let results = Results::read(text);
        assert!(results.complete);
        assert_eq!(results.verdict("nics::alone"), Some(&Verdict::Passed));
        let skipped = Verdict::Skipped("no module 8021q".to_owned());
        assert_eq!(results.verdict("nics::vlan"), Some(&skipped));
        let failed: Vec<_> = results.failed().collect();
        assert_eq!(failed.len(), 1);
        assert!(failed[0].output.contains("40 is not 20"), "{failed:?}");
        assert!(failed[0].unchecked.contains("OtherDrop: no drop reasons"));
        assert!(
            results.scenarios[1]
                .found
                .contains("UnhandledProtocol/NoReceiver")
        );
    }

    #[test]
    fn a_guest_that_died_is_incomplete_and_its_last_scenario_failed() {
        let results = Results::read("test kernels::a ... ok\ntest kernels::b ... ");
        assert!(!results.complete);
        assert_eq!(results.verdict("a"), Some(&Verdict::Passed));
        assert_eq!(results.verdict("b"), Some(&Verdict::Failed));
        assert_eq!(results.verdict("c"), None);
    }

    #[test]
    fn a_second_boot_replaces_what_did_not_end_in_the_first() {
        let mut results = Results::read("test kernels::a ... ok\ntest kernels::b ... ");
        results.add(Results::read("test kernels::b ... ok\nexit=0"));
        results.add_missing("a", "over the limit");
        results.add_missing("c", "over the limit");
        assert_eq!(results.verdict("a"), Some(&Verdict::Passed));
        assert_eq!(results.verdict("b"), Some(&Verdict::Passed));
        assert_eq!(results.scenarios.len(), 3, "{results:?}");
        let failed: Vec<_> = results.failed().map(|one| one.output.as_str()).collect();
        assert_eq!(failed, ["not run: over the limit\n"]);
    }
}
