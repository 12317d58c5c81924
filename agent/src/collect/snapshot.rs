//! The sources at one end of a window, and both ends together.

use std::{collections::HashMap, sync::Arc};

use netdiag_diagnosis::evidence::{
    InetSocket, Link, LinkKind, Missing, Namespace, NamespaceSettings, NeighbourTables, NetnsId,
    Observed, PacketSocket, PacketSocketReader, Softnet, TunHolder,
};

use super::drops::DropWatch;
use crate::{
    causes::causes,
    probes::drop::DropSnapshot,
    sources::{
        InetReading, PacketDrops, Reading, SourceError, Sources,
        neighbour_tables::{self, Tables},
        reading,
        softnet::{self, Backlogs},
    },
};

/// One end: the sources' counters, read between two reads of the drop map.
pub(super) struct WindowEnd {
    asked: Result<Answers, Arc<SourceError>>,
    backlogs: Result<Backlogs, softnet::Error>,
    /// Drops before the counters were read.
    pub drops: DropSnapshot,
    /// Drops after.
    pub drops_after: DropSnapshot,
}

/// The answers of the sources.
struct Answers {
    reading: Reading,
    packet_sockets: Observed<Vec<PacketSocket>>,
    packet_socket_reader: PacketSocketReader,
    packet_drops: PacketDrops,
    /// Of the second end only.
    inet_sockets: Observed<Vec<InetSocket>>,
    inet_reading: InetReading,
    tun_holders: Observed<Vec<TunHolder>>,
    neighbour_tables: Result<Tables, neighbour_tables::Error>,
}

impl WindowEnd {
    /// Reads one end; the second one knows the first. `sources` may be the reason why there are none.
    pub(super) fn read(
        sources: &Result<Sources, Arc<SourceError>>,
        watch: &mut DropWatch,
        first: Option<&Self>,
    ) -> Self {
        let first = first.and_then(|first| first.asked.as_ref().ok());
        // Finding the namespaces takes long; it is done before, so that little time passes between the two reads.
        let found = sources.as_ref().map_err(Arc::clone).and_then(|sources| {
            let discovery = sources.discover().map_err(Arc::new)?;
            Ok((sources, discovery))
        });
        let drops = watch.read();
        let found = found.map(|(sources, discovery)| {
            let reading = sources.read(&discovery);
            let tables = sources.neighbour_tables();
            (sources, discovery, reading, tables)
        });
        let backlogs = softnet::read();
        let drops_after = watch.read();
        let asked = found.map(|(sources, discovery, mut reading, neighbour_tables)| {
            sources.describe(&discovery, &mut reading);
            let earlier = first.map(|first| &first.packet_drops);
            let (packet_sockets, packet_socket_reader, packet_drops) =
                sources.packet_sockets(&discovery, earlier);
            let inet_reading = sources.inet_sockets(&discovery);
            let inet_sockets = first
                .map(|first| sources.inet_sockets_since(&first.inet_reading, &inet_reading))
                .unwrap_or_default();
            Answers {
                packet_sockets,
                packet_socket_reader,
                packet_drops,
                inet_sockets,
                inet_reading,
                neighbour_tables,
                tun_holders: if has_held_devices(&reading) {
                    let links = reading.links.value().map_or(&[][..], Vec::as_slice);
                    sources.tun_holders(&discovery, links)
                } else {
                    Observed::Complete { value: Vec::new() }
                },
                reading,
            }
        });
        Self {
            asked,
            backlogs,
            drops,
            drops_after,
        }
    }

    /// Namespaces, their counters and links.
    pub(super) fn reading(&self) -> Option<&Reading> {
        self.asked.as_ref().ok().map(|answers| &answers.reading)
    }

    /// Interfaces of the node's own namespace.
    pub(super) fn interfaces(&self) -> Option<usize> {
        let reading = self.reading()?;
        let node = reading.namespaces.iter().find(|one| one.is_node)?.id;
        let links = reading.links.value()?;
        Some(links.iter().filter(|link| link.netns == node).count())
    }
}

/// Some device is of a kind that a process reads and writes through a file.
fn has_held_devices(reading: &Reading) -> bool {
    let is_held = |link: &Link| {
        matches!(
            link.kind,
            Some(LinkKind::Tun | LinkKind::MacVtap | LinkKind::IpVtap)
        )
    };
    reading
        .links
        .value()
        .is_some_and(|links| links.iter().any(is_held))
}

/// The combined readings of both ends.
pub(super) struct BothEnds {
    /// The node's namespaces.
    pub namespaces: Vec<Namespace>,
    /// Their links.
    pub links: Observed<Vec<Link>>,
    /// The links that were gone at the end.
    pub ended_links: Vec<Link>,
    /// Packet sockets as of the end.
    pub packet_sockets: Observed<Vec<PacketSocket>>,
    /// The way in which they were read.
    pub packet_socket_reader: PacketSocketReader,
    /// Sockets of TCP, UDP and raw IP as of the end, with their queues at the start.
    pub inet_sockets: Observed<Vec<InetSocket>>,
    /// Who holds TUN and TAP devices, as of the end.
    pub tun_holders: Observed<Vec<TunHolder>>,
    /// The CPUs' backlogs.
    pub softnet: Observed<Softnet>,
    /// The kernel's tables of neighbours.
    pub neighbour_tables: Observed<NeighbourTables>,
}

impl BothEnds {
    /// Puts the two ends together.
    pub(super) fn between(before: WindowEnd, between: Vec<Reading>, after: WindowEnd) -> Self {
        let softnet = softnet::between(before.backlogs, after.backlogs);
        match (before.asked, after.asked) {
            (Ok(before), Ok(after)) => {
                let merged = reading::merge(before.reading, between, after.reading);
                let settings = after.inet_reading.settings();
                Self {
                    namespaces: with_settings(merged.namespaces, &settings),
                    links: merged.links,
                    ended_links: merged.ended,
                    packet_sockets: after.packet_sockets,
                    packet_socket_reader: after.packet_socket_reader,
                    inet_sockets: after.inet_sockets,
                    tun_holders: after.tun_holders,
                    softnet,
                    neighbour_tables: neighbour_tables::between(
                        before.neighbour_tables,
                        after.neighbour_tables,
                    ),
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                let reason = causes(&error);
                Self {
                    namespaces: Vec::new(),
                    links: unavailable(&reason),
                    ended_links: Vec::new(),
                    packet_sockets: unavailable(&reason),
                    packet_socket_reader: PacketSocketReader::default(),
                    inet_sockets: unavailable(&reason),
                    tun_holders: unavailable(&reason),
                    softnet,
                    neighbour_tables: unavailable(&reason),
                }
            }
        }
    }
}

/// Adds what sockets tell of the settings of namespaces other than the node's own, which are known from /proc/sys.
fn with_settings(
    mut namespaces: Vec<Namespace>,
    settings: &HashMap<NetnsId, NamespaceSettings>,
) -> Vec<Namespace> {
    for namespace in namespaces.iter_mut().filter(|one| !one.is_node) {
        if let Some(seen) = settings.get(&namespace.id) {
            namespace.settings = *seen;
        }
    }
    namespaces
}

fn unavailable<T>(reason: &str) -> Observed<T> {
    Observed::unavailable(Missing::failed(reason))
}
