//! The part of a node's file system that a kubelet writes and the agent reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cleanup::{self, TemporaryFolder, Undo};
use crate::wait;

/// The time for which a control group may still hold processes that were killed.
const EMPTY_LIMIT: Duration = Duration::from_secs(5);

/// A folder with a node's log folders, and a control group with its pods'.
pub struct HostRoot {
    // The groups can be removed only when their processes are gone, which they are by then.
    cgroup: PathBuf,
    _undo: Undo,
    folder: TemporaryFolder,
}

impl HostRoot {
    /// Makes both, empty.
    pub fn new() -> Result<Self> {
        let folder = TemporaryFolder::new("host")?;
        for logs in ["pods", "containers"] {
            let path = folder.path().join("var/log").join(logs);
            fs::create_dir_all(&path)
                .with_context(|| format!("failed to create {}", path.display()))?;
        }
        let name = folder.path().file_name().context("a folder has a name")?;
        let hierarchy = hierarchy()?;
        for left_behind in cleanup::left_behind(&hierarchy) {
            remove_groups(&hierarchy.join(left_behind));
        }
        let cgroup = hierarchy.join(name);
        fs::create_dir(&cgroup)
            .with_context(|| format!("failed to create {}", cgroup.display()))?;
        let doomed = cgroup.clone();
        let undo = Undo::register(move || remove_groups(&doomed));
        Ok(Self {
            cgroup,
            _undo: undo,
            folder,
        })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Registers a container as a kubelet does; returns its control group.
    ///
    /// `/var/log/pods/<namespace>_<pod>_<uid>/<container>/0.log`, a link to it with the container's id in its name, and
    /// the group `kubepods/besteffort/pod<uid>/<id>` (cgroupfs driver).
    pub(super) fn add_container(
        &self,
        pod: &str,
        uid: &str,
        container: &str,
        id: &str,
    ) -> Result<PathBuf> {
        let logs = self.path().join("var/log");
        let folder = logs.join(format!("pods/shop_{pod}_{uid}/{container}"));
        fs::create_dir_all(&folder).context("failed to create a pod's log folder")?;
        let log = folder.join("0.log");
        fs::write(&log, "").context("failed to write a container's log")?;
        let link = logs.join(format!("containers/{pod}_shop_{container}-{id}.log"));
        std::os::unix::fs::symlink(&log, link).context("failed to link a container's log")?;
        let group = self
            .cgroup
            .join(format!("kubepods/besteffort/pod{uid}/{id}"));
        fs::create_dir_all(&group)
            .with_context(|| format!("failed to create {}", group.display()))?;
        Ok(group)
    }
}

/// Control groups version 2 where it is mounted, else a hierarchy of version 1 that limits nothing.
fn hierarchy() -> Result<PathBuf> {
    let mounts = fs::read_to_string(format!("/proc/{}/mounts", process::id()))
        .context("failed to read the mounts")?;
    let mount = |wanted: fn(&str, &str) -> bool| {
        mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (path, kind, options) = (words.next()?, words.next()?, words.next()?);
            wanted(kind, options).then(|| PathBuf::from(path))
        })
    };
    mount(|kind, _| kind == "cgroup2")
        .or_else(|| mount(|kind, options| kind == "cgroup" && options.contains("name=systemd")))
        .context("no control group hierarchy is mounted")
}

/// Control groups go from the leaves up, and only by rmdir.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_groups(&entry.path());
        }
    }
    // A killed process is still counted until the kernel is done with it.
    let gone = wait::until("a control group to empty", EMPTY_LIMIT, || {
        Ok(Some(fs::remove_dir(group)?))
    });
    if let Err(error) = gone {
        eprintln!("failed to remove {}: {error:#}", group.display());
    }
}
