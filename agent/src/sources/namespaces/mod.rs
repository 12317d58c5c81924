//! Finds the network namespaces of this node: those that a process is in, and those named under /run/netns.
//!
//! Nothing is entered. Each namespace gets an id in the agent's own (RTM_NEWNSID), by which netlink addresses it; the
//! kernel forgets the id together with the namespace. A namespace known only to an open descriptor, or to a thread
//! that left its process's namespace, is not found.

mod failures;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use netdiag_abi::net_devices::NetDeviceRecord;
use netdiag_diagnosis::{
    evidence::{Missing, NetnsId},
    text::printable_up_to,
};

use crate::{
    bounded::{Bounded, at_most, shared},
    privileges::{Access, Restrictions},
};

use super::{
    attributes::{self, attributes},
    cgroups, descriptors, devices,
    proc_net::{self, ProcNet},
    processes,
    route_netlink::RouteSocket,
    system_calls,
};
use failures::Failures;

/// The most namespaces that are looked at. A node runs some hundred pods; each namespace costs a descriptor while it
/// is read and about ten system calls.
pub(super) const MOST_NAMESPACES: usize = 1_024;
/// Their name where there are more.
const NAMESPACES: &str = "network namespaces";
/// The number of processes of a namespace that are kept, in case some end before they are asked.
const CANDIDATES: usize = 8;
/// The longest file name.
const LONGEST_NAME: usize = 255;

const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// `struct rtgenmsg`, padded.
const RTGENMSG: [u8; 4] = [0; 4];

/// The namespaces as of one moment, held open so that their numbers cannot come to mean others. Drop it soon: a
/// namespace that its pod has left lives on for as long, and a device that was lent to it does not come back.
pub(crate) struct Discovery {
    /// The node's own first, then by number.
    pub namespaces: Vec<OpenNamespace>,
    /// The parts that could not be looked at, in words; empty when all was.
    pub missing: Vec<Missing>,
    /// Devices of all namespaces as the kernel's own structures have them; empty without BPF.
    pub(super) devices: Vec<NetDeviceRecord>,
}

/// A namespace that is held open.
pub(crate) struct OpenNamespace {
    /// Its number.
    pub id: NetnsId,
    /// The agent's own.
    pub is_node: bool,
    /// Its name under /run/netns.
    pub name: Option<String>,
    /// Some processes in it, oldest first.
    pub pids: Vec<u32>,
    /// `net->net_cookie`.
    pub cookie: Option<u64>,
    /// Its id in the agent's namespace.
    pub nsid: Option<i32>,
    /// The time at which its inode was made, which changes when the number is reused.
    pub inode_changed: (i64, i64),
    /// Keeps the number from being given to another namespace.
    _held: File,
}

impl Discovery {
    /// The agent's own namespace.
    pub(crate) fn own(&self) -> NetnsId {
        self.namespaces
            .first()
            .map(|namespace| namespace.id)
            .unwrap_or_default()
    }

    /// The namespace with this number.
    pub(crate) fn get(&self, id: NetnsId) -> Option<&OpenNamespace> {
        self.namespaces.iter().find(|namespace| namespace.id == id)
    }

    /// The namespace that an id in the agent's own namespace stands for.
    pub(crate) fn by_nsid(&self) -> HashMap<i32, NetnsId> {
        self.namespaces
            .iter()
            .filter_map(|namespace| Some((namespace.nsid?, namespace.id)))
            .collect()
    }
}

impl OpenNamespace {
    /// A file below /proc/net as a process of this namespace sees it; see [`proc_net::read`].
    pub(crate) fn read_proc_net(&self, file: ProcNet) -> Option<Bounded<String>> {
        proc_net::read(&self.pids, self.id, file)
    }
}

/// Looks for namespaces in /proc and in the folder `run_netns`. `devices` were read right before.
///
/// # Errors
/// When /proc cannot be read at all, or the agent's own namespace cannot be opened.
pub(super) fn discover(
    route: &RouteSocket,
    run_netns: &Path,
    devices: Bounded<Vec<NetDeviceRecord>>,
) -> io::Result<Discovery> {
    let own = File::open("/proc/self/ns/net")?;
    let own_id = processes::inode(&own.metadata()?)?;
    let mut failed = Failures::default();
    let has_all_devices = devices.is_whole();
    let devices = devices.noted(&mut failed.overflows);
    devices::note_bounds(&devices, &mut failed.overflows);
    let mut found = others(own_id, run_netns, &mut failed)?;
    if failed.refused > 0 {
        failed.restrictions = Restrictions::read();
        let is_restricted = failed.restrictions.known(Access::Processes).is_some();
        let is_seen = |id: &NetnsId| {
            let of_others = found.get(id);
            // Of a namespace that is known only by its name little can be read.
            *id == own_id || of_others.is_some_and(|one| !is_restricted || !one.pids.is_empty())
        };
        if has_all_devices
            && !devices.is_empty()
            && devices.iter().all(|one| is_seen(&NetnsId(one.inum)))
        {
            // The kernel itself says that every task is in one of those found, the closed processes' too.
            failed.refused = 0;
        }
    }
    let own = Found {
        file: own,
        pids: vec![std::process::id()],
        name: None,
    };
    found.insert(own_id, own);

    let cookies = devices::cookies(&devices);
    let mut namespaces: Vec<_> = found
        .into_iter()
        .map(|(id, Found { file, pids, name })| OpenNamespace {
            id,
            is_node: id == own_id,
            name,
            cookie: cookies.get(&id).copied(),
            nsid: namespace_id(route, &file),
            inode_changed: file
                .metadata()
                .map_or((0, 0), |metadata| (metadata.ctime(), metadata.ctime_nsec())),
            pids,
            _held: file,
        })
        .collect();
    namespaces.sort_by_key(|namespace| (!namespace.is_node, namespace.id));
    for namespace in &mut namespaces {
        if namespace.cookie.is_none() {
            namespace.cookie = cookie_of(namespace);
        }
    }
    Ok(Discovery {
        namespaces,
        missing: failed.describe(),
        devices,
    })
}

/// A namespace that was opened.
struct Found {
    file: File,
    pids: Vec<u32>,
    name: Option<String>,
}

/// The namespaces of processes and those under `run_netns`, without the agent's own.
fn others(
    own: NetnsId,
    run_netns: &Path,
    failed: &mut Failures,
) -> io::Result<BTreeMap<NetnsId, Found>> {
    let mut found = BTreeMap::new();
    let mut of_processes: Vec<_> = namespaces_of_processes(failed)?.into_iter().collect();
    of_processes.retain(|(id, _)| *id != own);
    // A pod that makes namespaces without end takes none of the others' places.
    let kept = shared(of_processes, MOST_NAMESPACES, NAMESPACES, |(_, pids)| {
        let pid = pids.first()?;
        cgroups::of_process(*pid).map(|cgroup| cgroup.pod_uid)
    });
    for (id, pids) in kept.noted(&mut failed.overflows) {
        match open_of_process(id, &pids) {
            Ok(Some(file)) => {
                let name = None;
                found.insert(id, Found { file, pids, name });
            }
            Ok(None) => {} // it ended meanwhile
            Err(error) => failed.open(&error),
        }
    }
    let mut left_out = 0;
    for (name, file) in named(run_netns, failed) {
        let inode = file
            .metadata()
            .and_then(|metadata| processes::inode(&metadata));
        let Ok(id) = inode else {
            continue;
        };
        if found.len() >= MOST_NAMESPACES && !found.contains_key(&id) {
            left_out += 1;
        } else if id != own {
            let unnamed = Found {
                file,
                pids: Vec::new(),
                name: None,
            };
            found.entry(id).or_insert(unnamed).name = Some(name);
        }
    }
    Bounded::without((), NAMESPACES, MOST_NAMESPACES, left_out).noted(&mut failed.overflows);
    Ok(found)
}

/// The namespaces that processes are in, with the first few of their processes.
fn namespaces_of_processes(failed: &mut Failures) -> io::Result<BTreeMap<NetnsId, Vec<u32>>> {
    let mut namespaces = BTreeMap::<_, Vec<_>>::new();
    for pid in processes::all()?.noted(&mut failed.overflows) {
        match processes::network_namespace(pid) {
            Ok(id) => {
                let pids = namespaces.entry(id).or_default();
                if pids.len() < CANDIDATES {
                    pids.push(pid);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => failed.refused += 1,
            Err(_) => {} // it ended meanwhile
        }
    }
    Ok(namespaces)
}

/// Opens the namespace through the first of its processes that is still there. The number is compared once more,
/// because the process may have ended and its pid be another's by now.
fn open_of_process(id: NetnsId, pids: &[u32]) -> io::Result<Option<File>> {
    for pid in pids {
        match File::open(processes::path(*pid, "ns/net")) {
            Ok(file) if processes::inode(&file.metadata()?)? == id => return Ok(Some(file)),
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

/// The namespaces that `ip netns add` and container runtimes mount under /run/netns. Other files there are passed over;
/// not blocking, for one of them could be a FIFO.
fn named(run_netns: &Path, failed: &mut Failures) -> Vec<(String, File)> {
    let entries = fs::read_dir(run_netns).into_iter().flatten();
    let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let entries = at_most(entries, 2 * MOST_NAMESPACES, "names of network namespaces");
    let mut entries = entries.noted(&mut failed.overflows);
    entries.sort();
    let open = |path: PathBuf| {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
            .open(&path);
        match opened {
            Ok(file) if system_calls::is_network_namespace(file.as_fd()) => {
                let name = path.file_name()?.to_string_lossy();
                Some((printable_up_to(&name, LONGEST_NAME), file))
            }
            Ok(_) => None,
            Err(error) => {
                failed.open(&error);
                None
            }
        }
    };
    entries.into_iter().filter_map(open).collect()
}

/// The namespace's id in the agent's own namespace; one is assigned when it has none.
fn namespace_id(route: &RouteSocket, file: &File) -> Option<i32> {
    let descriptor = u32::try_from(file.as_raw_fd()).ok()?;
    let mut body = RTGENMSG.to_vec();
    attributes::push(&mut body, NETNSA_FD, &descriptor.to_ne_bytes());
    if let Some(nsid) = get_namespace_id(route, &body) {
        return Some(nsid);
    }
    let mut request = body.clone();
    attributes::push(&mut request, NETNSA_NSID, &(-1_i32).to_ne_bytes());
    // It fails with EEXIST when another program was faster; then the id is there all the same.
    let _ = route.request(libc::RTM_NEWNSID, &request, |_| {});
    get_namespace_id(route, &body)
}

/// RTM_GETNSID answers -1 for a namespace without an id.
fn get_namespace_id(route: &RouteSocket, body: &[u8]) -> Option<i32> {
    let mut nsid = None;
    route
        .request(libc::RTM_GETNSID, body, |(_, answer)| {
            nsid = attributes(answer.get(RTGENMSG.len()..).unwrap_or_default())
                .find(|attribute| attribute.kind == NETNSA_NSID)
                .and_then(|attribute| attribute.i32());
        })
        .ok()?;
    nsid.filter(|nsid| *nsid >= 0)
}

/// The cookie of the namespace, asked of a socket that one of its processes holds.
fn cookie_of(namespace: &OpenNamespace) -> Option<u64> {
    namespace.pids.iter().find_map(|pid| {
        let socket = descriptors::borrow_socket(*pid, namespace.id).ok()??;
        system_calls::namespace_cookie(socket.as_fd()).ok()
    })
}
