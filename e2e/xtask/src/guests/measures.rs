//! The measurements that a scenario prints about itself.

use std::cmp::Ordering;
use std::fmt;

/// The measurements that a scenario printed about itself beside its verdict.
#[derive(Debug, Default)]
pub struct Measures {
    /// From the begin of the fault to the agent's report, the rest of its window included.
    pub seconds: Option<f64>,
    /// Findings of Warning or worse where nothing does harm; absent for other scenarios.
    pub false_alarms: Option<u64>,
    /// Each counter that rose.
    pub ledger: Vec<Remainder>,
    /// Drops that the agent counted, and the least and the most that it must have counted by the kernel's own count.
    pub counted: Option<[u64; 3]>,
}

/// The part of a counter's increase that the ledger left over.
#[derive(Clone, Debug)]
pub struct Remainder {
    pub counter: String,
    pub left: u64,
    pub increase: u64,
}

impl Measures {
    /// Takes a line that the scenario printed, if it is a measure.
    pub fn add(&mut self, line: &str) {
        let Some((kind, value)) = line.split_once(' ') else {
            return;
        };
        match kind {
            "TIME" => self.seconds = value.parse().ok(),
            "HARMLESS" => self.false_alarms = value.parse().ok(),
            "LEDGER" => self.ledger.extend(Remainder::read(value)),
            "COUNTED" => self.counted = read_counted(value),
            _ => {}
        }
    }
}

impl Remainder {
    /// Reads `1/50 eth0 rx_dropped`.
    fn read(text: &str) -> Option<Self> {
        let (numbers, counter) = text.split_once(' ')?;
        let (left, increase) = numbers.split_once('/')?;
        Some(Self {
            counter: counter.to_owned(),
            left: left.parse().ok()?,
            increase: increase.parse().ok()?,
        })
    }

    /// By share; of none at all, the larger increase is the stronger proof.
    pub fn compare(&self, other: &Self) -> Ordering {
        let share = |one: &Self, of: &Self| u128::from(one.left) * u128::from(of.increase);
        share(self, other)
            .cmp(&share(other, self))
            .then(self.increase.cmp(&other.increase))
    }
}

impl fmt::Display for Remainder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ({})", self.left, self.increase, self.counter)
    }
}

/// Reads `agent=464 kernel=459..466`.
fn read_counted(text: &str) -> Option<[u64; 3]> {
    let (agent, kernel) = text.strip_prefix("agent=")?.split_once(" kernel=")?;
    let (least, most) = kernel.split_once("..")?;
    Some([agent.parse().ok()?, least.parse().ok()?, most.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_balanced_counters_the_largest_is_shown() {
        let remainder = |text| Remainder::read(text).unwrap();
        let (small, large) = (remainder("0/2 a"), remainder("0/50 b"));
        assert_eq!(small.compare(&large), Ordering::Less);
        assert_eq!(remainder("1/2 a").compare(&large), Ordering::Greater);
    }
}
