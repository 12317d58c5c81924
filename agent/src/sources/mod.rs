//! Everything that a node tells about its network besides the packets it drops: links, counters, sockets, processes,
//! the kernel's log, and whose all that is.
//!
//! Nothing here enters a namespace or changes one. The capabilities NET_ADMIN (ids of namespaces, their links),
//! SYS_PTRACE (files of other processes), SYSLOG (the kernel's log), BPF and PERFMON (the iterators) suffice.
//!
//! A window is read so:
//! ```text
//! let discovery = sources.discover()?;
//! let mut before = sources.read(&discovery);        // quick: between two reads of the drop map
//! sources.describe(&discovery, &mut before);        // at leisure
//! drop(discovery);
//! ..                                                // the window
//! let discovery = sources.discover()?;
//! let mut after = sources.read(&discovery);
//! sources.describe(&discovery, &mut after);
//! let merged = reading::merge(before, Vec::new(), after);
//! ```

mod addresses;
mod attributes;
mod cgroups;
mod counters;
mod descriptors;
mod devices;
mod ethtool;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod inet_sockets;
mod kernel_log;
mod link_attributes;
pub(crate) mod link_changes;
mod links;
mod multicast_groups;
mod namespaces;
pub(crate) mod neighbour_tables;
pub(crate) mod packet_filter;
mod packet_sockets;
mod pods;
mod proc_net;
mod processes;
mod protocol_handlers;
pub(crate) mod pulse;
mod queueing;
pub(crate) mod reading;
mod route_netlink;
pub(crate) mod routes;
mod segment_routes;
pub(crate) mod settings;
mod snmp;
pub(crate) mod softnet;
mod system_calls;
mod tun_holders;

#[cfg(test)]
mod live_tests;

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::PathBuf,
};

use netdiag_diagnosis::evidence::{
    InetSocket, Link, Namespace, NamespaceSettings, NetnsId, Observed, PacketSocket,
    PacketSocketReader, TrackedConnections, TunHolder,
};

use crate::{
    bounded::{Bounded, Overflows},
    limits,
    memory::Size,
    probes::{Error as ProbeError, Kernel, iterators::Iterators, question::SegmentRoute},
};

pub(crate) use inet_sockets::InetReading;
pub(crate) use kernel_log::KernelLog;
pub(crate) use namespaces::Discovery;
pub(crate) use packet_sockets::PacketDrops;
pub(crate) use reading::Reading;

use namespaces::OpenNamespace;
use pods::Pods;
use processes::Ticks;
use reading::Identity;
use route_netlink::RouteSocket;

/// The root of the host's file system: `/` on the host, a mount point in a container. Only the kubelet's log folders
/// and /run/netns are looked for there; /proc is always the agent's, which must share the host's process ids.
#[derive(Clone, Debug)]
pub(crate) struct HostRoot(PathBuf);

impl HostRoot {
    /// The host's file system is found at `root`.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Finds an absolute path of the host.
    pub(crate) fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.strip_prefix('/').unwrap_or(absolute))
    }

    /// The folder of named namespaces. A host may have none, and mounting it would make one; in a container it is found
    /// through the host's first process.
    fn run_netns(&self) -> PathBuf {
        let mounted = self.path("/run/netns");
        match mounted.is_dir() {
            true => mounted,
            false => PathBuf::from("/proc/1/root/run/netns"),
        }
    }
}

/// The owners of the namespaces that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamespaceScope {
    /// The node's own and every other.
    All,
    /// Only the node's own. Others are found all the same, so that peers of the node's links can be named.
    Node,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// No netlink.
    #[error("failed to open a netlink socket")]
    Netlink {
        /// The kernel's error.
        source: io::Error,
    },
    /// No /proc.
    #[error("failed to read the network namespaces of this node from /proc")]
    Namespaces {
        /// The kernel's error.
        source: io::Error,
    },
}

/// The node, to be asked. Belongs to one thread at a time.
pub(crate) struct Sources {
    route: RouteSocket,
    host: HostRoot,
    scope: NamespaceScope,
    iterators: Result<Iterators, ProbeError>,
}

impl Sources {
    /// Opens what every reading needs, and loads the BPF iterators. Where those are refused the rest works all the
    /// same: flags in force and packet sockets' memberships are then unknown.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub(crate) fn new(
        host: HostRoot,
        scope: NamespaceScope,
        kernel: &Kernel,
    ) -> Result<Self, SourceError> {
        limits::raise_open_files();
        let route = RouteSocket::open().map_err(|source| SourceError::Netlink { source })?;
        Ok(Self {
            route,
            host,
            scope,
            iterators: Iterators::load(kernel),
        })
    }

    /// Finds the node's namespaces and holds them open. Drop the result soon; see [`Discovery`].
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub(crate) fn discover(&self) -> Result<Discovery, SourceError> {
        let devices = match &self.iterators {
            // Without them links lack their flags in force, which detectors see.
            Ok(iterators) => iterators.net_devices(),
            Err(error) => Err(error.clone()),
        };
        let devices = devices.unwrap_or_else(|_| Bounded::whole(Vec::new()));
        let run_netns = self.host.run_netns();
        namespaces::discover(&self.route, &run_netns, devices)
            .map_err(|source| SourceError::Namespaces { source })
    }

    /// The size of what is to be read. Where the kernel's own list of devices cannot be had, a few for each namespace.
    pub(crate) fn size(&self) -> Size {
        const DEVICES_OF_POD: usize = 4;
        let Ok(discovery) = self.discover() else {
            return Size::default();
        };
        let wanted = discovery
            .namespaces
            .iter()
            .filter(|one| self.is_wanted(one));
        let wanted: HashSet<u32> = wanted.map(|one| one.id.0).collect();
        let devices = discovery.devices.iter();
        let links = match devices.filter(|one| wanted.contains(&one.inum)).count() {
            0 => {
                let own = fs::read_dir("/sys/class/net").map_or(0, Iterator::count);
                own.saturating_add(wanted.len() * DEVICES_OF_POD)
            }
            links => links,
        };
        Size {
            namespaces: wanted.len(),
            links,
        }
    }

    /// Reads the kernel's tables of neighbours. Quick.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn neighbour_tables(
        &self,
    ) -> Result<neighbour_tables::Tables, neighbour_tables::Error> {
        neighbour_tables::read(&self.route)
    }

    /// Reads what changes within a window: links with their counters, and protocol counters. Quick.
    pub(crate) fn read(&self, discovery: &Discovery) -> Reading {
        let (mut links, links_read) =
            links::read(&self.route, discovery, |one| self.is_wanted(one));
        let mut overflows = Overflows::default();
        if let Observed::Complete { value } | Observed::Partial { value, .. } = &mut links {
            devices::fill_own_from_sysfs(value, discovery.own());
            devices::fill(value, &discovery.devices, |id| discovery.get(id)?.cookie);
            // Where it fails, the disciplines stay unread, and what would need them is no more than likely.
            let own = discovery.own();
            let _ = queueing::fill(&self.route, value, own, &mut overflows);
        }
        let namespaces = discovery.namespaces.iter();
        let namespaces = namespaces.map(|open| self.namespace(open, &mut overflows));
        Reading {
            namespaces: namespaces.collect(),
            links,
            links_read,
            identities: discovery
                .namespaces
                .iter()
                .map(|open| (open.id, Identity::of(open)))
                .collect(),
            overflows,
        }
    }

    /// Reads the node's own links, and the namespaces that `is_known` does not know, with their owners. What is held open
    /// for it is let go at once.
    pub(crate) fn glimpse(
        &self,
        is_known: impl Fn(NetnsId, Option<u64>) -> bool,
    ) -> Option<Reading> {
        let discovery = self.discover().ok()?;
        let is_new = |one: &OpenNamespace| {
            !one.is_node && self.is_wanted(one) && !is_known(one.id, one.cookie)
        };
        let (links, links_read) =
            links::read(&self.route, &discovery, |one| one.is_node || is_new(one));
        let mut overflows = Overflows::default();
        let pods = Pods::list(&self.host, &mut overflows);
        let mut namespaces = Vec::new();
        for open in discovery.namespaces.iter().filter(|one| is_new(one)) {
            let addresses = addresses::read(&self.route, open, &mut overflows);
            namespaces.push(Namespace {
                id: open.id,
                cookie: open.cookie,
                name: open.name.clone(),
                pod: pods.of_namespace(open),
                addresses: addresses.unwrap_or_default(),
                ..Namespace::default()
            });
        }
        Some(Reading {
            namespaces,
            links,
            links_read,
            identities: HashMap::new(),
            overflows,
        })
    }

    fn namespace(&self, open: &OpenNamespace, overflows: &mut Overflows) -> Namespace {
        let counted = if self.is_wanted(open) {
            counters::read(open, overflows)
        } else {
            counters::Read::default()
        };
        let process = processes::first_in(&open.pids, open.id);
        Namespace {
            id: open.id,
            cookie: open.cookie,
            is_node: open.is_node,
            name: open.name.clone(),
            pid: process.map(|(pid, _)| pid),
            pid_started: process.map(|(_, started)| started.0),
            counters: counted.counters,
            connections: TrackedConnections {
                before: None,
                after: counted.connections,
            },
            settings: if open.is_node {
                settings::of_own_namespace()
            } else {
                NamespaceSettings::default()
            },
            ..Namespace::default()
        }
    }

    /// Adds what hardly changes within a window: pods, addresses, receivers of protocols, drivers.
    pub(crate) fn describe(&self, discovery: &Discovery, reading: &mut Reading) {
        let Reading {
            namespaces,
            links,
            overflows,
            ..
        } = reading;
        let pods = Pods::list(&self.host, overflows);
        for namespace in namespaces {
            let Some(open) = discovery.get(namespace.id) else {
                continue;
            };
            namespace.pod = pods.of_namespace(open);
            if self.is_wanted(open) {
                // Addresses only help to name ends of flows, so that an error here is not worth a word.
                namespace.addresses =
                    addresses::read(&self.route, open, overflows).unwrap_or_default();
                namespace.protocol_handlers = protocol_handlers::read(open, overflows);
                namespace.multicast_groups = multicast_groups::read(open, overflows);
            }
        }
        let (Observed::Complete { value: links } | Observed::Partial { value: links, .. }) = links
        else {
            return;
        };
        for open in discovery
            .namespaces
            .iter()
            .filter(|one| self.is_wanted(one))
        {
            ethtool::fill(open, links.iter_mut().filter(|link| link.netns == open.id));
        }
    }

    /// Finds the kind of the first route for segment routing headers that the node itself has, if any.
    pub(crate) fn segment_route(&self) -> Option<SegmentRoute> {
        // Only a reason to look closer, so that an error is not worth a word in a report.
        segment_routes::first(&self.route).ok().flatten()
    }

    /// Packet sockets of the node's processes, in the namespaces that are looked into, and the way in which they were
    /// read; with what each has dropped since an earlier reading. At last, the numbers for the next one.
    pub(crate) fn packet_sockets(
        &self,
        discovery: &Discovery,
        earlier: Option<&PacketDrops>,
    ) -> (Observed<Vec<PacketSocket>>, PacketSocketReader, PacketDrops) {
        let pods = self.pods();
        let read_at = Ticks::now();
        let records = match &self.iterators {
            Ok(iterators) => iterators.packet_sockets(),
            Err(error) => Err(error.clone()),
        };
        match records {
            Ok(records) => {
                let wanted = |id, cookie| self.is_of_wanted(discovery, id, cookie);
                let (sockets, drops) =
                    packet_sockets::from_records(records, &pods, read_at, earlier, wanted);
                (sockets, PacketSocketReader::Iterator, drops)
            }
            Err(error) => {
                let wanted = |open: &OpenNamespace| self.is_wanted(open);
                let sockets =
                    packet_sockets::from_procfs(discovery, &pods, wanted, error.missing());
                (sockets, PacketSocketReader::Procfs, PacketDrops::default())
            }
        }
    }

    /// The sockets of TCP, UDP and raw IP of the node's processes that can lose packets, as of now.
    pub(crate) fn inet_sockets(&self, discovery: &Discovery) -> InetReading {
        let read_at = Ticks::now();
        let records = match &self.iterators {
            Ok(iterators) => iterators.inet_sockets(),
            Err(error) => Err(error.clone()),
        };
        InetReading::new(records, read_at, |id, cookie| {
            self.is_of_wanted(discovery, id, cookie)
        })
    }

    /// The sockets of one reading, with their queues at an earlier one.
    pub(crate) fn inet_sockets_since(
        &self,
        earlier: &InetReading,
        now: &InetReading,
    ) -> Observed<Vec<InetSocket>> {
        inet_sockets::between(earlier, now, &self.pods())
    }

    /// A record is of a namespace that is looked into.
    fn is_of_wanted(&self, discovery: &Discovery, id: NetnsId, cookie: Option<u64>) -> bool {
        discovery.get(id).is_some_and(|open| {
            // Another cookie: another namespace, which had the number before or has it since.
            let is_same = open.cookie.is_none() || cookie.is_none() || open.cookie == cookie;
            is_same && self.is_wanted(open)
        })
    }

    /// Processes that hold one of these links open, as far as they are TUN, TAP, macvtap or ipvtap devices. Looks at
    /// every descriptor of every process, so ask only where there is such a device.
    pub(crate) fn tun_holders(
        &self,
        discovery: &Discovery,
        links: &[Link],
    ) -> Observed<Vec<TunHolder>> {
        tun_holders::read(&self.pods(), links, |id| {
            discovery.get(id).is_some_and(|open| self.is_wanted(open))
        })
    }

    /// The pods to name owners by; [`Sources::describe`] tells what their lists leave out.
    fn pods(&self) -> Pods {
        Pods::list(&self.host, &mut Overflows::default())
    }

    fn is_wanted(&self, namespace: &OpenNamespace) -> bool {
        self.scope == NamespaceScope::All || namespace.is_node
    }
}

/// True if some program of this node does not let the agent see its network namespace.
///
/// # Errors
/// When /proc cannot be listed.
pub(crate) fn has_closed_programs() -> io::Result<bool> {
    let is_closed = |pid| {
        processes::network_namespace(pid)
            .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    Ok(processes::all()?.part().into_iter().any(is_closed))
}

/// True if a program in another network namespace holds sockets that the agent may not duplicate. Asks the first few.
///
/// # Errors
/// When /proc cannot be listed.
pub(crate) fn has_closed_sockets() -> io::Result<bool> {
    const MOST_ASKED: usize = 32;
    let own = processes::network_namespace(std::process::id())?;
    let pids = processes::all()?.part().into_iter();
    let others = pids.filter_map(|pid| {
        let netns = processes::network_namespace(pid).ok()?;
        (netns != own).then_some((pid, netns))
    });
    for (pid, netns) in others.take(MOST_ASKED) {
        match descriptors::borrow_socket(pid, netns) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(false),
            Err(error) => return Ok(error.kind() == io::ErrorKind::PermissionDenied),
        }
    }
    Ok(false)
}
