//! Open files of other processes. Each is asked what it is before anything is done with it, and only sockets are
//! duplicated: closing the duplicate of another file may have effects.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    path::PathBuf,
};

use netdiag_diagnosis::evidence::NetnsId;
use rustix::fs::{FileType, fstat};

use super::{processes, system_calls};
use crate::bounded::Bounded;

/// The number of descriptors of a process that are asked in search of a socket, and of sockets that are duplicated: one
/// process may hold thousands in another namespace.
const MOST_ASKED: usize = 1_024;
const MOST_DUPLICATED: usize = 16;
/// fdinfo of what is looked for is some hundred bytes.
const LONGEST_FDINFO: u64 = 4_096;

/// The open descriptors of a process. /proc/<pid>/fd of another user is closed to the agent (it has no
/// DAC_READ_SEARCH), fdinfo is not.
pub(super) fn of(pid: u32) -> impl Iterator<Item = i32> {
    fs::read_dir(processes::path(pid, "fdinfo"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The beginning of a descriptor's fdinfo. `None` when it is gone, or has none that is worth its cost: that of an epoll
/// descriptor has a line for each file that it watches, of which a user may have millions, and the kernel writes all of
/// them before it gives the first byte.
pub(super) fn fdinfo(pid: u32, descriptor: i32) -> Option<String> {
    let watches = match link(pid, descriptor) {
        Some(link) => link.as_os_str() == "anon_inode:[eventpoll]",
        None => system_calls::is_epoll(pid, descriptor),
    };
    if watches {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(processes::path(pid, &format!("fdinfo/{descriptor}"))).ok()?;
    file.take(LONGEST_FDINFO).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file behind a descriptor; `None` for processes of other users.
fn link(pid: u32, descriptor: i32) -> Option<PathBuf> {
    fs::read_link(processes::path(pid, &format!("fd/{descriptor}"))).ok()
}

/// A duplicate of some socket that a process holds in this namespace; through it the namespace's devices answer
/// ioctls. Close it at once: meanwhile the process cannot really close it. `None`: it holds none, or has ended.
///
/// # Errors
/// `EPERM` and `EACCES` when the process holds sockets that the agent may not duplicate.
pub(super) fn borrow_socket(pid: u32, namespace: NetnsId) -> io::Result<Option<OwnedFd>> {
    let Ok(process) = system_calls::open_process(pid) else {
        return Ok(None);
    };
    let own = UnixDatagram::unbound()?;
    let own = fdinfo(std::process::id(), own.as_raw_fd());
    let sockets = own.and_then(|info| Mount::of(&info));
    let is_socket = |descriptor: &i32| match link(pid, *descriptor) {
        Some(link) => link.to_string_lossy().starts_with("socket:["),
        None => {
            fdinfo(pid, *descriptor).and_then(|info| Mount::of(&info)) == sockets
                && sockets.is_some()
        }
    };
    let descriptors = of(pid).take(MOST_ASKED).filter(is_socket);
    for descriptor in descriptors.take(MOST_DUPLICATED) {
        match system_calls::duplicate_of(process.as_fd(), descriptor) {
            Ok(socket) if is_in(&socket, namespace) => return Ok(Some(socket)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

/// True if this is a socket in the namespace. The descriptor's number may have become another file's meanwhile.
fn is_in(file: &OwnedFd, namespace: NetnsId) -> bool {
    let is_socket =
        fstat(file).is_ok_and(|data| FileType::from_raw_mode(data.st_mode) == FileType::Socket);
    let found = || {
        let file = system_calls::namespace_of_socket(file.as_fd())?;
        processes::inode(&file.metadata()?)
    };
    is_socket && found().is_ok_and(|found| found == namespace)
}

/// The mount that a file is on. All sockets of a kernel are on one (`sock_mnt`, net/socket.c), and nothing else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mount(u64);

impl Mount {
    /// `mnt_id:` of a descriptor.
    fn of(fdinfo: &str) -> Option<Self> {
        field(fdinfo, "mnt_id:").map(Self)
    }
}

/// Which process holds each of these sockets, by inode number. Looks at the descriptors of every process until all are
/// found.
pub(super) fn holders_of_sockets(inodes: &[u64]) -> HashMap<u64, u32> {
    let mut holders = HashMap::new();
    // Where there are more, a socket stays without owner.
    for pid in processes::all().map(Bounded::part).unwrap_or_default() {
        for descriptor in of(pid) {
            if holders.len() >= inodes.len() {
                return holders;
            }
            let inode = fdinfo(pid, descriptor).and_then(|info| inode_of(&info));
            if let Some(inode) = inode.filter(|inode| inodes.contains(inode)) {
                holders.entry(inode).or_insert(pid);
            }
        }
    }
    holders
}

/// `ino:` of a descriptor (5.14 on).
pub(super) fn inode_of(fdinfo: &str) -> Option<u64> {
    field(fdinfo, "ino:")
}

fn field(fdinfo: &str, name: &str) -> Option<u64> {
    let number = fdinfo.lines().find_map(|line| line.strip_prefix(name))?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_borrowed_and_no_other_file() {
        let own = std::process::id();
        let namespace = processes::network_namespace(own).unwrap();
        let _socket = UnixDatagram::unbound().unwrap();
        let borrowed = borrow_socket(own, namespace).unwrap().unwrap();
        assert!(is_in(&borrowed, namespace));
        assert!(!is_in(&borrowed, NetnsId(1)));
        let file = File::open("/proc/self/stat").unwrap();
        assert!(!is_in(&OwnedFd::from(file), namespace));
    }

    #[test]
    fn the_fields_of_a_descriptor_are_read() {
        let info = "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t54321\n";
        assert_eq!(inode_of(info), Some(54_321));
        assert_eq!(Mount::of(info), Some(Mount(9)));
        assert_eq!(inode_of("pos:\t0\nino:\tx\n"), None);
        assert_eq!(Mount::of("mnt_id:"), None);
    }

    #[test]
    fn sockets_are_told_from_other_files_by_their_mount() {
        let mount = |file: &dyn AsRawFd| {
            let info = fdinfo(std::process::id(), file.as_raw_fd()).unwrap();
            Mount::of(&info).unwrap()
        };
        let sockets = [(); 2].map(|()| UnixDatagram::unbound().unwrap());
        let file = File::open("/proc/self/stat").unwrap();
        let (end, _other) = io::pipe().unwrap();
        assert_eq!(mount(&sockets[0]), mount(&sockets[1]));
        assert_ne!(mount(&sockets[0]), mount(&file));
        assert_ne!(mount(&sockets[0]), mount(&end));
    }

    #[test]
    fn the_fdinfo_of_an_epoll_descriptor_is_not_read() {
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC);
        let epoll = epoll.unwrap();
        let own = std::process::id();
        assert_eq!(fdinfo(own, epoll.as_raw_fd()), None);
        // As of a process of another user, where the file cannot be seen. A kernel without kcmp(2) cannot tell.
        let socket = UnixDatagram::unbound().unwrap();
        assert!(!system_calls::is_epoll(own, socket.as_raw_fd()));
        if system_calls::has_kcmp() {
            assert!(system_calls::is_epoll(own, epoll.as_raw_fd()));
        }
    }
}
