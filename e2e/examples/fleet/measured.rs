//! The numbers of one part of the bench.

use std::fmt;

/// Counts up to a moment, or between two.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Passes over nodes.
    pub node_passes: u64,
    /// Passes over diagnoses.
    pub diagnosis_passes: u64,
    /// Hundredths of a second of the processor.
    pub ticks: u64,
    /// Writes of the statuses of diagnoses.
    pub status_writes: u64,
    /// Their bytes.
    pub status_bytes: u64,
    /// Writes of reports by the controller.
    pub assigned: u64,
    /// Writes of reports by agents.
    pub reported: u64,
    /// Their bytes.
    pub reported_bytes: u64,
}

impl Counts {
    /// The counts since an earlier moment.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            node_passes: self.node_passes - before.node_passes,
            diagnosis_passes: self.diagnosis_passes - before.diagnosis_passes,
            ticks: self.ticks - before.ticks,
            status_writes: self.status_writes - before.status_writes,
            status_bytes: self.status_bytes - before.status_bytes,
            assigned: self.assigned - before.assigned,
            reported: self.reported - before.reported,
            reported_bytes: self.reported_bytes - before.reported_bytes,
        }
    }
}

/// A row of the table.
pub struct Measured {
    /// Nodes of the fleet.
    pub nodes: usize,
    /// The event.
    pub what: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// Its counts.
    pub counts: Counts,
    /// MiB that the controller holds after it, and the most that it has held.
    pub memory: (u64, u64),
}

impl Measured {
    /// The head of the table.
    pub const HEADER: &str = "\
| nodes | event | s | passes over nodes | over diagnoses | CPU s | status writes | MiB | report writes of controller | \
of agents | MiB | memory MiB | most |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            node_passes,
            diagnosis_passes,
            ticks,
            status_writes,
            status_bytes,
            assigned,
            reported,
            reported_bytes,
        } = self.counts;
        let mebibytes =
            |bytes: u64| format!("{}.{}", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024);
        let (memory, most) = self.memory;
        write!(
            formatter,
            "| {} | {} | {:.0} | {node_passes} | {diagnosis_passes} | {}.{:02} | {status_writes} | {} | {assigned} | \
             {reported} | {} | {memory} | {most} |",
            self.nodes,
            self.what,
            self.seconds,
            ticks / 100,
            ticks % 100,
            mebibytes(status_bytes),
            mebibytes(reported_bytes),
        )
    }
}
