//! The agent that watches a scenario.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;
use aya::programs::loaded_programs;
use netdiag_e2e::wait;

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
