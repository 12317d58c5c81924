//! Processes as /proc shows them. Any of them may end between two reads.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::PathBuf,
};

use netdiag_diagnosis::{
    evidence::{Missing, NetnsId},
    text::printable_up_to,
};

use super::system_calls;
use crate::{
    bounded::{Bounded, at_most},
    privileges::{Access, Restrictions},
};

/// The most processes that one walk looks at; a node's default `pid_max` is 32,768 per 1,024 CPUs.
const MOST_PROCESSES: usize = 65_536;
/// The number of descriptors of a process that are tried in search of a socket.
const MOST_DESCRIPTORS_TRIED: usize = 64;
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

/// A file below /proc/net as one of these processes sees it in this namespace, at most `limit` bytes of it. `None` when
/// none of them is there any more: procfs shows a namespace only through a process, and entering it takes SYS_ADMIN.
pub(super) fn read_proc_net(
    pids: &[u32],
    namespace: NetnsId,
    file: &str,
    limit: u64,
) -> Option<String> {
    pids.iter().copied().find_map(|pid| {
        let mut bytes = Vec::new();
        File::open(path(pid, &format!("net/{file}")))
            .and_then(|opened| opened.take(limit).read_to_end(&mut bytes))
            .ok()?;
        // Asked afterwards: the process may have ended and its pid be another's, or it may have moved.
        let is_there = network_namespace(pid).is_ok_and(|id| id == namespace);
        is_there.then(|| String::from_utf8_lossy(&bytes).into_owned())
    })
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

/// The open descriptors of a process. /proc/<pid>/fd of another user is closed to the agent (it has no
/// DAC_READ_SEARCH), fdinfo is not.
pub(super) fn descriptors(pid: u32) -> impl Iterator<Item = i32> {
    fs::read_dir(path(pid, "fdinfo"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A duplicate of some socket that a process holds in this namespace; through it the namespace's devices answer
/// ioctls. Close it at once: meanwhile the process cannot really close it.
pub(super) fn borrow_socket(pid: u32, namespace: NetnsId) -> Option<OwnedFd> {
    let process = system_calls::open_process(pid).ok()?;
    descriptors(pid)
        .take(MOST_DESCRIPTORS_TRIED)
        .find_map(|descriptor| {
            let socket = system_calls::duplicate_of(process.as_fd(), descriptor).ok()?;
            let file = system_calls::namespace_of_socket(socket.as_fd()).ok()?;
            let found = inode(&file.metadata().ok()?).ok()?;
            (found == namespace).then_some(socket)
        })
}

/// Which process holds each of these sockets, by inode number. Looks at the descriptors of every process until all are
/// found.
pub(super) fn holders_of_sockets(inodes: &[u64]) -> HashMap<u64, u32> {
    let mut holders = HashMap::new();
    // Where there are more, a socket stays without owner.
    for pid in all().map(Bounded::part).unwrap_or_default() {
        for descriptor in descriptors(pid) {
            if holders.len() >= inodes.len() {
                return holders;
            }
            let inode = fs::read_to_string(path(pid, &format!("fdinfo/{descriptor}")))
                .ok()
                .and_then(|fdinfo| inode_of_descriptor(&fdinfo));
            if let Some(inode) = inode.filter(|inode| inodes.contains(inode)) {
                holders.entry(inode).or_insert(pid);
            }
        }
    }
    holders
}

/// `ino:` of a descriptor (5.14 on).
fn inode_of_descriptor(fdinfo: &str) -> Option<u64> {
    let number = fdinfo.lines().find_map(|line| line.strip_prefix("ino:"))?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inode_of_a_descriptor_is_read() {
        assert_eq!(
            inode_of_descriptor("pos:\t0\nflags:\t02\nino:\t54321\n"),
            Some(54_321)
        );
        assert_eq!(inode_of_descriptor("pos:\t0\nino:\tx\n"), None);
    }
}
