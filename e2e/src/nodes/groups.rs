//! Control groups of a node: one in every hierarchy of this machine, below which its kubelet keeps those of its pods.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cleanup::{Undo, left_behind, unique_name};
use crate::process::run;
use crate::wait;

const HIERARCHIES: &str = "/sys/fs/cgroup";
/// The time for which a group may still hold processes that were killed.
const EMPTY_LIMIT: Duration = Duration::from_secs(10);

/// The groups of one node. They go with this value, and what runs in them.
pub struct Groups {
    name: String,
    _undo: Undo,
}

impl Groups {
    /// Makes them, empty, with names that end with `label`.
    pub fn new(label: &str) -> Result<Self> {
        for hierarchy in hierarchies() {
            for left in left_behind(&hierarchy) {
                remove(&hierarchy.join(left));
            }
        }
        let name = unique_name(label);
        for hierarchy in hierarchies() {
            let group = hierarchy.join(&name);
            fs::create_dir(&group)
                .with_context(|| format!("failed to create {}", group.display()))?;
            // A group of this hierarchy takes no process before it has these.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(all) = fs::read_to_string(hierarchy.join(file))
                    && hierarchy.ends_with("cpuset")
                {
                    fs::write(group.join(file), all.trim())
                        .with_context(|| format!("failed to write {file}"))?;
                }
            }
        }
        let doomed = name.clone();
        let undo = Undo::register(move || {
            for hierarchy in hierarchies() {
                remove(&hierarchy.join(&doomed));
            }
        });
        Ok(Self { name, _undo: undo })
    }

    /// Their name in each hierarchy.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Version 1 has a folder for each; where there is only version 2, it is the folder itself.
pub(super) fn hierarchies() -> Vec<PathBuf> {
    let holds_processes = |folder: &PathBuf| folder.join("cgroup.procs").exists();
    let root = PathBuf::from(HIERARCHIES);
    if holds_processes(&root) {
        return vec![root];
    }
    let entries = fs::read_dir(&root).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(holds_processes)
        .collect();
    found.sort();
    found
}

/// Ends what is in the group and below, and removes them from the leaves up.
pub(super) fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    let gone = wait::until("a control group to empty", EMPTY_LIMIT, || {
        for process in fs::read_to_string(group.join("cgroup.procs"))?.lines() {
            // It may have ended by itself meanwhile.
            let _ = run(std::process::Command::new("kill").args(["-KILL", process]));
        }
        Ok(Some(fs::remove_dir(group)?))
    });
    if let Err(error) = gone
        && group.exists()
    {
        eprintln!("failed to remove {}: {error:#}", group.display());
    }
}
