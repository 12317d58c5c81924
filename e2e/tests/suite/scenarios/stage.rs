//! The stage of scenarios: a node, and an agent that watches it.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use netdiag_e2e::lab::{Node, Watch};

use super::Scenario;
use super::agent::Agent;
use crate::kernels::{Leftover, conclude, watch};
use crate::live::Diagnosed;
use crate::outcome::Outcome;

/// Who plays a scenario.
pub enum Harness {
    /// Through a control plane, whose windows have a fixed length: that of the scenario, so many times longer.
    Live { longer: u64 },
    /// Without a cluster. A window lasts as long as the fault does, and leaves a recording.
    Guest(&'static Scenario),
}

/// A node, empty at first, that can be watched.
pub enum Stage<'a> {
    Live { diagnosed: Diagnosed, longer: u64 },
    Guest { node: Node, scenario: &'a Scenario },
}

impl Harness {
    /// A node of this name.
    pub fn node(&self, name: &str) -> Result<Stage<'_>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Ok(match self {
            Self::Live { longer } => {
                // One control plane has them all.
                let number = COUNT.fetch_add(1, Ordering::Relaxed);
                Stage::Live {
                    diagnosed: Diagnosed::node(&format!("{name}-{number}")),
                    longer: *longer,
                }
            }
            Self::Guest(scenario) => Stage::Guest {
                node: Node::new(name)?,
                scenario,
            },
        })
    }

    /// Waits for the report of an agent that watches only a log, into which so many lines were written.
    pub fn conclude(&self, watch: Watch, lines: u64) -> Result<Outcome> {
        let watched = watch.report()?;
        Ok(match self {
            Self::Live { .. } => Outcome::of_watched(&watched)?,
            Self::Guest(scenario) => conclude(scenario, &watched, lines)?,
        })
    }
}

impl Stage<'_> {
    /// The node.
    pub fn node(&self) -> &Node {
        match self {
            Self::Live { diagnosed, .. } => &diagnosed.node,
            Self::Guest { node, .. } => node,
        }
    }

    /// Makes a fault within a window of at least so many seconds.
    ///
    /// # Errors
    /// When the fault fails, or outlives a window of fixed length ([`Outlived`]).
    pub fn watch<T>(
        &self,
        seconds: u64,
        fault: impl FnOnce(Agent) -> Result<T>,
    ) -> Result<(T, Outcome)> {
        self.watch_leaving(Leftover::None, seconds, fault)
    }

    /// The same for a fault whose packets the kernel does not show all.
    pub fn watch_leaving<T>(
        &self,
        leftover: Leftover,
        seconds: u64,
        fault: impl FnOnce(Agent) -> Result<T>,
    ) -> Result<(T, Outcome)> {
        match self {
            Self::Live { diagnosed, longer } => diagnosed.diagnose(seconds * longer, fault),
            Self::Guest { node, scenario } => watch(scenario, leftover, node, seconds, fault),
        }
    }
}
