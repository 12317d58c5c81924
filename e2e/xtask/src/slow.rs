//! Suites as a slow machine runs them, because no expectation may depend on the machine's speed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

/// Only against waiting for ever.
const LIFTED_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
const HIERARCHIES: &str = "/sys/fs/cgroup";

static SLOW: AtomicBool = AtomicBool::new(false);

/// A way to be slow. Limits of time are lifted then, and guests run one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Slow {
    /// A third of one processor for the tests, what they start, and each guest; pods of real nodes have their own
    /// groups
    Third,
    /// Beside a busy loop on each processor
    Busy,
}

/// The means that make this process, and all that it starts, slow. It ends with this value.
pub struct Slowed {
    group: Option<Group>,
    ended: Arc<AtomicBool>,
}

impl Slow {
    pub fn begin(self) -> Result<Slowed> {
        SLOW.store(true, Ordering::Relaxed);
        let ended = Arc::new(AtomicBool::new(false));
        let group = match self {
            Self::Third => Some(Group::join()?),
            Self::Busy => {
                let processors = thread::available_parallelism().context("no processors")?;
                for _ in 0..processors.get() {
                    let ended = Arc::clone(&ended);
                    thread::spawn(move || while !ended.load(Ordering::Relaxed) {});
                }
                None
            }
        };
        Ok(Slowed { group, ended })
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(error) = self.group.take().and_then(|group| group.leave().err()) {
            eprintln!("{error:#}");
        }
    }
}

/// True if anything was made slow on purpose.
pub fn is_on() -> bool {
    SLOW.load(Ordering::Relaxed)
}

/// The limit of something that usually has this one.
pub fn limit(usual: Duration) -> Duration {
    if is_on() { LIFTED_LIMIT } else { usual }
}

/// A control group with a third of a processor, which this process is in.
struct Group {
    folder: PathBuf,
    /// `cgroup.procs` of the group that it came from.
    before: PathBuf,
}

impl Group {
    fn join() -> Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").context("failed to read own groups")?;
        let root = Path::new(HIERARCHIES);
        // Version 2 has one hierarchy for all controllers, version 1 one for this.
        let (hierarchy, file, third) = if root.join("cgroup.controllers").exists() {
            write(&root.join("cgroup.subtree_control"), "+cpu")?;
            (root.to_owned(), "cpu.max", "33333 100000")
        } else {
            (root.join("cpu"), "cpu.cfs_quota_us", "33333")
        };
        let folder = hierarchy.join(format!("netdiag-slow-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("failed to create {folder:?}"))?;
        write(&folder.join(file), third)?;
        write(&folder.join("cgroup.procs"), "0")?;
        let before = hierarchy.join(own_group(&own)).join("cgroup.procs");
        Ok(Self { folder, before })
    }

    fn leave(self) -> Result<()> {
        write(&self.before, "0")?;
        fs::remove_dir(&self.folder).with_context(|| format!("failed to remove {:?}", self.folder))
    }
}

/// The group in the hierarchy of processors, below its root, from lines such as `4:cpu,cpuacct:/pod` (cgroups(7)).
fn own_group(lines: &str) -> &str {
    let mut version_2 = "";
    for line in lines.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let group = group.trim_start_matches('/');
        if controllers.split(',').any(|one| one == "cpu") {
            return group;
        }
        if controllers.is_empty() {
            version_2 = group;
        }
    }
    version_2
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {text:?} to {path:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_to_go_back_to_is_that_of_either_version() {
        assert_eq!(
            own_group("2:cpuacct:/a\n1:cpu,cpuacct:/b/c\n0::/d\n"),
            "b/c"
        );
        assert_eq!(own_group("0::/user.slice\n"), "user.slice");
        assert_eq!(own_group("1:cpu:/\n"), "");
    }
}
