//! The parts of a cluster that outlive a process which is killed: names in the file system.
//!
//! Processes end with the one that started them, mounts and links with the namespaces that they are in.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::groups;
use crate::cleanup::{made_by, remove_folder};
use crate::{netns, process};

/// The parts that the cluster of one process has made and that are still there.
#[derive(Debug)]
pub struct Remains {
    namespaces: BTreeSet<String>,
    groups: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// The number of processes that run in the namespaces.
    processes: usize,
}

impl Remains {
    /// Of the cluster that this process started, or had started.
    pub fn of(process: u32) -> Self {
        let below = |folder: &Path| -> Vec<PathBuf> {
            let names = made_by(folder, process).into_iter();
            names.map(|name| folder.join(name)).collect()
        };
        let hierarchies = groups::hierarchies();
        let namespaces: BTreeSet<String> = made_by(Path::new(netns::NAMED), process)
            .into_iter()
            .collect();
        Self {
            processes: namespaces.iter().map(|name| processes_in(name)).sum(),
            namespaces,
            groups: hierarchies
                .iter()
                .flat_map(|folder| below(folder))
                .collect(),
            folders: below(&env::temp_dir()).into_iter().collect(),
        }
    }

    /// True if nothing is there.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.groups.is_empty() && self.folders.is_empty()
    }

    /// Ends and removes it all; says what cannot be.
    pub fn remove(&self) {
        for group in &self.groups {
            groups::remove(group);
        }
        for name in &self.namespaces {
            netns::remove(name);
        }
        for folder in &self.folders {
            remove_folder(folder);
        }
    }
}

fn processes_in(namespace: &str) -> usize {
    let pids = process::run(Command::new("ip").args(["netns", "pids", namespace]));
    pids.map_or(0, |pids| pids.lines().count())
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  processes: {}", self.processes)?;
        for name in &self.namespaces {
            writeln!(f, "  network namespace {name}")?;
        }
        // The same name stands in every hierarchy.
        let groups: BTreeSet<_> = self
            .groups
            .iter()
            .filter_map(|group| group.file_name())
            .collect();
        for group in groups {
            writeln!(f, "  control group {}", group.display())?;
        }
        for folder in &self.folders {
            writeln!(f, "  folder {}", folder.display())?;
        }
        Ok(())
    }
}
