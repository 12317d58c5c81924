//! The scenarios' measurements, added up: faults found, false alarms, the ledger, the counts, the time.

use super::measures::Remainder;
use super::results::{Scenario, Verdict};

/// The score of many scenarios.
#[derive(Debug, Default)]
pub struct Score {
    /// Scenarios with a fault, and those of them that passed.
    faults: (usize, usize),
    /// Scenarios where nothing does harm, and findings of Warning or worse in them.
    harmless: (usize, u64),
    /// Counters that rose in scenarios whose ledger must balance, and the one that it explained worst.
    counters: usize,
    worst: Option<Remainder>,
    /// Scenarios whose drops were counted twice; drops that the agent counted, the least and the most by the kernel.
    counted: (usize, [u64; 3]),
    seconds: Vec<f64>,
}

impl Score {
    /// Adds scenarios up. Skipped ones count nowhere.
    pub fn of<'a>(scenarios: impl IntoIterator<Item = &'a Scenario>) -> Self {
        let mut score = Self::default();
        for scenario in scenarios {
            if matches!(scenario.verdict, Verdict::Skipped(_)) {
                continue;
            }
            let measures = &scenario.measures;
            if !scenario.twin {
                score.faults.0 += 1;
                score.faults.1 += usize::from(scenario.verdict == Verdict::Passed);
                score.seconds.extend(measures.seconds);
            }
            if let Some(false_alarms) = measures.false_alarms {
                score.harmless.0 += 1;
                score.harmless.1 += false_alarms;
            }
            score.counters += measures.ledger.len();
            let all = score.worst.iter().chain(&measures.ledger);
            score.worst = all.max_by(|a, b| a.compare(b)).cloned();
            if let Some(counted) = measures.counted {
                score.counted.0 += 1;
                for (sum, count) in score.counted.1.iter_mut().zip(counted) {
                    *sum += count;
                }
            }
        }
        score.seconds.sort_by(f64::total_cmp);
        score
    }

    /// The name of each measurement, and its score, in words.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![(
            "faults found",
            format!("{} of {}", self.faults.1, self.faults.0),
        )];
        lines.push((
            "false alarms where nothing does harm",
            format!("{} in {} scenarios", self.harmless.1, self.harmless.0),
        ));
        if let Some(worst) = &self.worst {
            lines.push((
                "worst remainder in the ledger",
                format!("{worst}, {} counters rose", self.counters),
            ));
        }
        let (scenarios, [agent, least, most]) = self.counted;
        lines.push((
            "drops counted by the agent",
            format!("{agent}, by the kernel {least} to {most}, in {scenarios} scenarios"),
        ));
        if let (Some(first), Some(last)) = (self.seconds.first(), self.seconds.last()) {
            let median = self.seconds[self.seconds.len() / 2];
            lines.push((
                "from the fault to the report",
                format!("{first:.1} to {last:.1} s, half within {median:.1} s"),
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Results;
    use super::*;

    #[test]
    fn scenarios_add_up_to_one_score() {
        let run = "test kernels::a::fault ... ok\n\
            test kernels::b::fault ... FAILED\n\
            test kernels::a::healthy ... ok\n\
            test kernels::c::skipped ... ok\n\
            successes:\n\
            ---- kernels::a::fault stdout ----\n\
            TIME 7.5\n\
            COUNTED agent=52 kernel=50..52\n\
            LEDGER 0/50 eth0 rx_dropped\n\
            LEDGER 1/60 eth1 rx_dropped\n\
            ---- kernels::a::healthy stdout ----\n\
            TWIN\n\
            TIME 4.0\n\
            COUNTED agent=3 kernel=1..4\n\
            HARMLESS 0\n\
            ---- kernels::c::skipped stdout ----\n\
            SKIP c: no module\n\
            ---- kernels::b::fault stdout ----\n\
            TIME 9.0\n\
            exit=101\n";
        let results = Results::read(run);
        let lines = Score::of(&results.scenarios).lines();
        let values: Vec<&str> = lines.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(
            values,
            [
                "1 of 2",
                "0 in 1 scenarios",
                "1 of 60 (eth1 rx_dropped), 2 counters rose",
                "55, by the kernel 51 to 56, in 2 scenarios",
                "7.5 to 9.0 s, half within 9.0 s"
            ]
        );
    }
}
