//! The sources at one end of a window, and both ends together.

use std::sync::Arc;

use netdiag_diagnosis::evidence::{
    Link, LinkKind, Missing, Namespace, Observed, PacketSocket, PacketSocketReader, Softnet,
    TunHolder,
};

use super::drops::DropWatch;
use crate::{
    causes::causes,
    probes::drop::DropSnapshot,
    sources::{
        Reading, SourceError, Sources, reading,
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
    tun_holders: Observed<Vec<TunHolder>>,
}

impl WindowEnd {
    /// Reads one end. `sources` may be the reason why there are none.
    pub(super) fn read(sources: &Result<Sources, Arc<SourceError>>, watch: &mut DropWatch) -> Self {
        // Finding the namespaces takes long; it is done before, so that little time passes between the two reads.
        let found = sources.as_ref().map_err(Arc::clone).and_then(|sources| {
            let discovery = sources.discover().map_err(Arc::new)?;
            Ok((sources, discovery))
        });
        let drops = watch.read();
        let found = found.map(|(sources, discovery)| {
            let reading = sources.read(&discovery);
            (sources, discovery, reading)
        });
        let backlogs = softnet::read();
        let drops_after = watch.read();
        let asked = found.map(|(sources, discovery, mut reading)| {
            sources.describe(&discovery, &mut reading);
            let (packet_sockets, packet_socket_reader) = sources.packet_sockets(&discovery);
            Answers {
                packet_sockets,
                packet_socket_reader,
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
    /// Who holds TUN and TAP devices, as of the end.
    pub tun_holders: Observed<Vec<TunHolder>>,
    /// The CPUs' backlogs.
    pub softnet: Observed<Softnet>,
}

impl BothEnds {
    /// Puts the two ends together.
    pub(super) fn between(before: WindowEnd, between: Vec<Reading>, after: WindowEnd) -> Self {
        let softnet = softnet::between(before.backlogs, after.backlogs);
        match (before.asked, after.asked) {
            (Ok(before), Ok(after)) => {
                let merged = reading::merge(before.reading, between, after.reading);
                Self {
                    namespaces: merged.namespaces,
                    links: merged.links,
                    ended_links: merged.ended,
                    packet_sockets: after.packet_sockets,
                    packet_socket_reader: after.packet_socket_reader,
                    tun_holders: after.tun_holders,
                    softnet,
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
                    tun_holders: unavailable(&reason),
                    softnet,
                }
            }
        }
    }
}

fn unavailable<T>(reason: &str) -> Observed<T> {
    Observed::unavailable(Missing::failed(reason))
}
