//! The stage of scenarios: a node, and an agent that watches it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use aya::programs::loaded_programs;
use netdiag_e2e::lab::{Node, Watch};
use netdiag_e2e::wait;

use super::Scenario;
use crate::kernels::{self, Leftover};
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

/// The agent that watches while a fault is made.
#[derive(Clone, Copy)]
pub struct Agent(pub u32);

/// The window ended before the fault did: the machine is slow, and the scenario has to be played in a longer one.
#[derive(Debug)]
pub struct Outlived;

impl std::fmt::Display for Outlived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fault took longer than its window")
    }
}

impl std::error::Error for Outlived {}

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
            Self::Guest(scenario) => kernels::conclude(scenario, &watched, lines)?,
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
            Self::Guest { node, scenario } => {
                kernels::watch(scenario, leftover, node, seconds, fault)
            }
        }
    }
}

impl Agent {
    /// Waits until a probe that a question attaches is there: its programs' names begin so.
    pub fn wait_for(self, probe: &str) -> Result<()> {
        wait::until(probe, wait::LIMIT, || {
            Ok(self.has_attached(probe).then_some(()))
        })
    }

    /// That probe is there. The kernel keeps 15 characters of a program's name.
    pub fn has_attached(self, probe: &str) -> bool {
        let attached = self.attached_programs();
        let mut loaded = loaded_programs().filter_map(Result::ok);
        loaded.any(|one| attached.contains(&one.id()) && one.name().starts_with(probe.as_bytes()))
    }

    /// Numbers of the programs that its descriptors of attachments stand for.
    fn attached_programs(self) -> BTreeSet<u32> {
        let files = fs::read_dir(format!("/proc/{}/fdinfo", self.0));
        let files = files.into_iter().flatten().flatten();
        // A descriptor that is closed meanwhile cannot be read.
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let number = |text: String| {
            let value = |name| text.lines().find_map(|line| line.strip_prefix(name));
            value("link_type:")?;
            value("prog_id:")?.trim().parse().ok()
        };
        texts.filter_map(number).collect()
    }
}
