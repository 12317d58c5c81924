//! Processes as /proc shows them. Any of them may end between two reads.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use netdiag_diagnosis::{
    evidence::{Missing, NetnsId},
    text::printable_up_to,
};

use crate::{
    bounded::{Bounded, at_most},
    privileges::{Access, Restrictions},
};

/// The most processes that one walk looks at; a node's default `pid_max` is 32,768 per 1,024 CPUs.
const MOST_PROCESSES: usize = 65_536;
/// /proc/<pid>/stat has some 52 numbers.
const LONGEST_STAT: u64 = 4_096;
/// `comm` has at most 15 bytes; escaping may lengthen it.
const LONGEST_COMM: usize = 15;

/// A file of a process.
pub(super) fn path(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// Every process, lowest number first, which is usually the oldest.
///
/// # Errors
/// When /proc cannot be listed.
pub(super) fn all() -> io::Result<Bounded<Vec<u32>>> {
    let pids =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(at_most(pids, MOST_PROCESSES, "processes").map(|mut pids| {
        pids.sort_unstable();
        pids
    }))
}

/// The network namespace that a process is in.
///
/// # Errors
/// `ENOENT` and `ESRCH` when it has ended, `EACCES` without SYS_PTRACE or where an AppArmor profile forbids it.
pub(super) fn network_namespace(pid: u32) -> io::Result<NetnsId> {
    let metadata = fs::metadata(path(pid, "ns/net")).map_err(|error| {
        // `proc_ns_get_link` (fs/proc/namespaces.c) answers EACCES for a process that ends meanwhile, too.
        if error.kind() == io::ErrorKind::PermissionDenied && !path(pid, "stat").exists() {
            io::ErrorKind::NotFound.into()
        } else {
            error
        }
    })?;
    inode(&metadata)
}

/// Says that the files of some programs were refused, and why. `None`: no restriction of the agent explains it.
pub(super) fn closed(restrictions: &Restrictions) -> Missing {
    let known = restrictions.known(Access::Processes);
    let why = known
        .as_deref()
        .unwrap_or("some protect theirs, though the agent has CAP_SYS_PTRACE");
    let text = format!("{}: {why}", Access::Processes.refused());
    Missing::not_permitted(text, restrictions.lacking(Access::Processes))
}

/// The number of a namespace's file.
///
/// # Errors
/// When it is none of a namespace.
pub(super) fn inode(metadata: &fs::Metadata) -> io::Result<NetnsId> {
    // proc_alloc_inum hands out 32-bit numbers.
    u32::try_from(metadata.ino())
        .map(NetnsId)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// The name of a process, escaped; empty when it has ended.
pub(super) fn comm(pid: u32) -> String {
    let comm = fs::read(path(pid, "comm")).unwrap_or_default();
    printable_up_to(String::from_utf8_lossy(&comm).trim_end(), LONGEST_COMM)
}

/// A moment or the start of a process, in ticks of a hundredth of a second since the node started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticks(pub u64);

impl Ticks {
    /// Now, rounded up: what has started is never later.
    pub(super) fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        // USER_HZ is 100 on every architecture that the agent runs on.
        let ticks = u64::try_from(now.tv_nsec).unwrap_or_default() / 10_000_000;
        Self(
            seconds
                .saturating_mul(100)
                .saturating_add(ticks)
                .saturating_add(1),
        )
    }
}

/// The start of a process, by which a pid is told from its next owner. `None` when it has ended.
pub(super) fn started(pid: u32) -> Option<Ticks> {
    let mut bytes = Vec::new();
    let file = File::open(path(pid, "stat")).ok()?;
    file.take(LONGEST_STAT).read_to_end(&mut bytes).ok()?;
    start_of(&String::from_utf8_lossy(&bytes))
}

/// `starttime`, the 22nd field of /proc/<pid>/stat. The second, a name in brackets, may hold anything.
pub(super) fn start_of(stat: &str) -> Option<Ticks> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok().map(Ticks)
}

/// The result of `read`, which reads files of a process; `None` when the pid was another's at the end, or has none.
pub(super) fn of_one<T>(pid: u32, read: impl FnOnce() -> T) -> Option<T> {
    let before = started(pid)?;
    let value = read();
    (started(pid) == Some(before)).then_some(value)
}

/// The first of these processes that is still in this namespace, with its start.
pub(super) fn first_in(pids: &[u32], namespace: NetnsId) -> Option<(u32, Ticks)> {
    pids.iter().find_map(|pid| {
        let started = started(*pid)?;
        let is_there = network_namespace(*pid).is_ok_and(|id| id == namespace);
        (is_there && self::started(*pid) == Some(started)).then_some((*pid, started))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_behind_any_name() {
        let fields = "S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 54321 0 0";
        assert_eq!(start_of(&format!("7 (a) b) {fields}")), Some(Ticks(54_321)));
        for nonsense in [
            "",
            "7 (a",
            "7 (a) S 1",
            "7 (a) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 x",
        ] {
            assert_eq!(start_of(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_pid_is_believed_while_it_is_the_same_process_s() {
        let own = std::process::id();
        assert_eq!(of_one(own, || 7), Some(7));
        assert!(started(own).unwrap() <= Ticks::now());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        assert_eq!(of_one(pid, || drop(child.wait())), None);
    }
}
