//! The record of a cluster's parts, noted in a file before they are made, so that they can be removed whatever happens.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// A cluster that is there, is being made, or was left behind.
#[derive(Serialize, Deserialize)]
pub struct Record {
    /// The process that holds it.
    pub process: u32,
    /// The time at which that process started, in ticks since boot: the kernel uses numbers of processes again.
    started: u64,
    /// Its program, which ends the cluster too.
    program: PathBuf,
    /// Settings of the machine before.
    pub settings: BTreeMap<String, String>,
    /// The way to reach it; absent while it is being made.
    pub reach: Option<Reach>,
}

/// The way to reach a cluster.
#[derive(Serialize, Deserialize)]
pub struct Reach {
    /// The network namespace where the API server is.
    pub network: String,
    /// An administrator's credentials.
    pub kubeconfig: PathBuf,
    /// The folder with kubectl and helm, if they are not on PATH.
    pub programs: Option<PathBuf>,
}

impl Record {
    /// Reads the record in this folder, if a cluster is noted there.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = path(folder);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("failed to understand {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
        }
    }

    /// Notes that this process makes a cluster; fails where there is one.
    pub fn claim(folder: &Path, settings: BTreeMap<String, String>) -> Result<Self> {
        let process = process::id();
        let record = Self {
            process,
            started: start_time(process).context("this process has no start time")?,
            program: env::current_exe().context("failed to find this program's own path")?,
            settings,
            reach: None,
        };
        let draft = record.draft(folder)?;
        // Unlike a rename, a link fails where the name is taken.
        let linked = fs::hard_link(&draft, path(folder));
        fs::remove_file(&draft).context("failed to remove a draft")?;
        linked.context("failed to note the cluster: is another one being started?")?;
        Ok(record)
    }

    /// Notes how it is reached.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let draft = self.draft(folder)?;
        fs::rename(draft, path(folder)).context("failed to note how the cluster is reached")
    }

    fn draft(&self, folder: &Path) -> Result<PathBuf> {
        let draft = folder.join(format!("draft-{}.json", process::id()));
        fs::write(&draft, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("failed to write {}", draft.display()))?;
        Ok(draft)
    }

    /// True if the process that holds the cluster is there.
    pub fn is_alive(&self) -> bool {
        start_time(self.process) == Some(self.started)
    }

    /// Finds the way to reach it, if it is up.
    pub fn up(folder: &Path) -> Result<Reach> {
        match Self::read(folder)? {
            Some(record) if record.is_alive() => {
                record.reach.context("the cluster is still being started")
            }
            _ => bail!("no cluster is up: `cargo xtask cluster up` starts one"),
        }
    }
}

/// The file in which a cluster is noted.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("cluster.json")
}

/// The output of the cluster's process while it is being started.
pub fn log(folder: &Path) -> PathBuf {
    folder.join("cluster.log")
}

/// Reads the time at which a process started, in ticks since boot; `None` for a process that has ended.
fn start_time(process: u32) -> Option<u64> {
    // The second field, in parentheses, is the program's name, which may hold anything. proc_pid_stat(5) counts from 1.
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.nth(22 - 4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_process_holds_a_cluster_and_one_that_is_gone_is_told_by_its_start() {
        let folder = env::temp_dir().join(format!("record-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        let mut record = Record::claim(&folder, BTreeMap::new()).unwrap();
        assert!(record.is_alive());
        assert!(Record::claim(&folder, BTreeMap::new()).is_err());
        // Another process has this one's number.
        record.started += 1;
        record.write(&folder).unwrap();
        assert!(!Record::read(&folder).unwrap().unwrap().is_alive());
        assert!(Record::up(&folder).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
