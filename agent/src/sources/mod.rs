//! Everything that a node tells about its network besides the packets it drops: links, counters, sockets, processes,
//! the kernel's log, and whose all that is.
//!
//! Nothing here enters a namespace or changes one. The capabilities NET_ADMIN (ids of namespaces, their links),
//! SYS_PTRACE (files of other processes) and SYSLOG (the kernel's log) suffice.
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
//! let (namespaces, links) = reading::merge(before, after);
//! ```

mod addresses;
mod attributes;
mod cgroups;
mod counters;
mod kernel_log;
mod link_attributes;
mod links;
mod namespaces;
mod pods;
mod processes;
mod protocol_handlers;
pub mod reading;
mod route_netlink;
mod system_calls;
mod text;
mod tun_holders;

#[cfg(test)]
mod live_tests;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
};

use netdiag_diagnosis::evidence::{Namespace, Observed, TunHolder};

pub use kernel_log::KernelLog;
pub use namespaces::Discovery;
pub use reading::Reading;

use namespaces::OpenNamespace;
use pods::Pods;
use reading::Identity;
use route_netlink::RouteSocket;

/// Where the host's file system is: `/` on the host, a mount point in a container. Only the kubelet's log folders and
/// /run/netns are looked for there; /proc is always the agent's, which must share the host's process ids.
#[derive(Clone, Debug)]
pub struct HostRoot(PathBuf);

impl HostRoot {
    /// The host's file system is found at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Where an absolute path of the host is found.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.strip_prefix('/').unwrap_or(absolute))
    }
}

/// Whose namespaces are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The node's own and every other.
    All,
    /// The node's own alone. Others are found all the same, so that peers of the node's links can be named.
    Node,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No netlink.
    #[error("failed to open a netlink socket")]
    Netlink {
        /// What the kernel said.
        source: io::Error,
    },
    /// No /proc.
    #[error("failed to read the network namespaces of this node from /proc")]
    Namespaces {
        /// What the kernel said.
        source: io::Error,
    },
}

/// The node, to be asked.
pub struct Sources {
    route: RouteSocket,
    host: HostRoot,
    scope: Scope,
}

impl Sources {
    /// Opens what every reading needs.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn new(host: HostRoot, scope: Scope) -> Result<Self, SourceError> {
        system_calls::raise_open_file_limit();
        let route = RouteSocket::open().map_err(|source| SourceError::Netlink { source })?;
        Ok(Self { route, host, scope })
    }

    /// Finds the node's namespaces and holds them open. Drop the result soon; see [`Discovery`].
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn discover(&self) -> Result<Discovery, SourceError> {
        namespaces::discover(&self.route, &self.host.path("/run/netns"), &HashMap::new())
            .map_err(|source| SourceError::Namespaces { source })
    }

    /// Reads what changes within a window: links with their counters, and protocol counters. Quick.
    pub fn read(&self, discovery: &Discovery) -> Reading {
        let (links, links_read) = links::read(&self.route, discovery, |one| self.is_wanted(one));
        let namespace = |open: &OpenNamespace| Namespace {
            id: open.id,
            cookie: open.cookie,
            is_node: open.is_node,
            name: open.name.clone(),
            pid: open.pids.first().copied(),
            counters: if self.is_wanted(open) {
                counters::read(open)
            } else {
                BTreeMap::new()
            },
            ..Namespace::default()
        };
        let identity = |open: &OpenNamespace| Identity {
            cookie: open.cookie,
            inode_changed: open.inode_changed,
            pids: open.pids.clone(),
        };
        Reading {
            namespaces: discovery.namespaces.iter().map(namespace).collect(),
            links,
            links_read,
            identities: discovery
                .namespaces
                .iter()
                .map(|open| (open.id, identity(open)))
                .collect(),
        }
    }

    /// Adds what hardly changes within a window: pods, addresses, receivers of protocols, drivers.
    pub fn describe(&self, discovery: &Discovery, reading: &mut Reading) {
        let pods = Pods::list(&self.host);
        for namespace in &mut reading.namespaces {
            let Some(open) = discovery.get(namespace.id) else {
                continue;
            };
            namespace.pod = pods.of_namespace(open);
            if self.is_wanted(open) {
                // Addresses only help to name ends of flows, so that an error here is not worth a word.
                namespace.addresses = addresses::read(&self.route, open).unwrap_or_default();
                namespace.protocol_handlers = protocol_handlers::read(open);
            }
        }
    }

    /// Processes that hold a TUN or TAP device open. Looks at every descriptor of every process, so ask only where
    /// there is such a device.
    pub fn tun_holders(&self, discovery: &Discovery) -> Observed<Vec<TunHolder>> {
        tun_holders::read(&Pods::list(&self.host), |id| {
            discovery.get(id).is_some_and(|open| self.is_wanted(open))
        })
    }

    fn is_wanted(&self, namespace: &OpenNamespace) -> bool {
        self.scope == Scope::All || namespace.is_node
    }
}

/// Complete, or partial for the reasons given.
fn observed<T>(value: T, missing: &[String]) -> Observed<T> {
    if missing.is_empty() {
        Observed::Complete { value }
    } else {
        Observed::Partial {
            value,
            missing: missing.join("; "),
        }
    }
}
