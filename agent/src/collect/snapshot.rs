//! The sources at one end of a window, and both ends together.

use netdiag_diagnosis::evidence::{Link, Namespace, Observed, TunHolder};

use super::{causes, drops::DropWatch};
use crate::{
    probes::drop::DropSnapshot,
    sources::{Reading, Sources, reading},
};

/// One end: the sources' counters, read between two reads of the drop map.
pub struct End {
    reading: Result<(Reading, Observed<Vec<TunHolder>>), String>,
    /// Drops before the counters were read.
    pub drops: DropSnapshot,
    /// Drops after.
    pub drops_after: DropSnapshot,
}

impl End {
    /// Reads one end. `sources` may be the reason why there are none.
    pub fn read(sources: &Result<Sources, String>, watch: &mut DropWatch) -> Self {
        // Finding the namespaces takes long; it is done before, so that little time passes between the two reads.
        let found = sources.as_ref().map_err(String::clone).and_then(|sources| {
            let discovery = sources.discover().map_err(|error| causes(&error))?;
            Ok((sources, discovery))
        });
        let drops = watch.read();
        let found = found.map(|(sources, discovery)| {
            let reading = sources.read(&discovery);
            (sources, discovery, reading)
        });
        let drops_after = watch.read();
        let reading = found.map(|(sources, discovery, mut reading)| {
            sources.describe(&discovery, &mut reading);
            let tun_holders = if has_held_devices(&reading) {
                sources.tun_holders(&discovery)
            } else {
                Observed::Complete { value: Vec::new() }
            };
            (reading, tun_holders)
        });
        Self {
            reading,
            drops,
            drops_after,
        }
    }

    /// Interfaces of the node's own namespace.
    pub fn interfaces(&self) -> Option<usize> {
        let (reading, _) = self.reading.as_ref().ok()?;
        let node = reading.namespaces.iter().find(|one| one.is_node)?.id;
        let links = reading.links.value()?;
        Some(links.iter().filter(|link| link.netns == node).count())
    }
}

/// Some device is of a kind that a process reads and writes through a file.
fn has_held_devices(reading: &Reading) -> bool {
    let is_held = |link: &Link| matches!(link.kind.as_deref(), Some("tun" | "macvtap" | "ipvtap"));
    reading
        .links
        .value()
        .is_some_and(|links| links.iter().any(is_held))
}

/// What both ends say together.
pub struct Seen {
    /// The node's namespaces.
    pub namespaces: Vec<Namespace>,
    /// Their links.
    pub links: Observed<Vec<Link>>,
    /// Who holds TUN and TAP devices.
    pub tun_holders: Observed<Vec<TunHolder>>,
}

impl Seen {
    /// Puts the two ends together.
    pub fn between(before: End, after: End) -> Self {
        match (before.reading, after.reading) {
            (Ok((before, _)), Ok((after, tun_holders))) => {
                let (namespaces, links) = reading::merge(before, after);
                Self {
                    namespaces,
                    links,
                    tun_holders,
                }
            }
            (Err(reason), _) | (_, Err(reason)) => Self {
                namespaces: Vec::new(),
                links: Observed::Unavailable {
                    reason: reason.clone(),
                },
                tun_holders: Observed::Unavailable { reason },
            },
        }
    }
}
