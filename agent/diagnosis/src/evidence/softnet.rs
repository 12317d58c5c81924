//! Queues of packets that wait for a CPU, as /proc/net/softnet_stat counts them. They belong to the kernel, not to a
//! namespace.

use serde::{Deserialize, Serialize};

/// The backlogs of all CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softnet {
    /// `net.core.netdev_max_backlog`, packets; absent where it could not be read.
    pub max_backlog: Option<u32>,
    /// One entry a CPU that was online at the end.
    pub cpus: Vec<CpuBacklog>,
}

/// One CPU's counters at both ends of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuBacklog {
    /// Its number.
    pub cpu: u32,
    /// At the start; absent for a CPU that was not online then.
    pub before: Option<SoftnetCounters>,
    /// At the end.
    pub after: SoftnetCounters,
}

/// `softnet_seq_show` (net/core/net-procfs.c) prints 32 bits of each; they wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftnetCounters {
    /// Packets that the CPU received.
    pub processed: u32,
    /// Packets that found its backlog full (`enqueue_to_backlog`).
    pub dropped: u32,
    /// The number of times that it stopped with work left, its budget or time used up (`net_rx_action`).
    pub time_squeeze: u32,
}

impl CpuBacklog {
    /// The increase of a counter within the window; 0 for a CPU without a start.
    pub fn increase(&self, counter: impl Fn(&SoftnetCounters) -> u32) -> u32 {
        let before = self.before.as_ref().map(&counter);
        before.map_or(0, |before| counter(&self.after).wrapping_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::{CpuBacklog, SoftnetCounters};

    #[test]
    fn a_counter_that_wrapped_around_still_rose() {
        let at = |dropped| SoftnetCounters {
            dropped,
            ..SoftnetCounters::default()
        };
        let mut cpu = CpuBacklog {
            cpu: 0,
            before: Some(at(u32::MAX)),
            after: at(4),
        };
        assert_eq!(cpu.increase(|counters| counters.dropped), 5);
        cpu.before = None;
        assert_eq!(cpu.increase(|counters| counters.dropped), 0);
    }
}
