//! The sources at both ends of a window.

use netdiag_diagnosis::evidence::{Link, Namespace, Observed, TunHolder};

use crate::sources::{Reading, SourceError, Sources, reading};

/// The sources, and what they said when the window began.
pub struct Snapshots {
    sources: Result<Sources, String>,
    before: Result<Reading, String>,
}

/// Both ends together.
pub struct Seen {
    pub namespaces: Vec<Namespace>,
    pub links: Observed<Vec<Link>>,
    pub tun_holders: Observed<Vec<TunHolder>>,
}

impl Snapshots {
    /// Reads the first end. `edge` runs directly before and after the counters are read.
    pub fn begin(sources: Result<Sources, SourceError>, edge: &mut dyn FnMut()) -> Self {
        let sources = sources.map_err(|error| describe(&error));
        let before = match &sources {
            Ok(sources) => read(sources, edge).map(|(reading, _)| reading),
            Err(reason) => Err(reason.clone()),
        };
        Self { sources, before }
    }

    /// Interfaces of the node's own namespace.
    pub fn interfaces(&self) -> Option<usize> {
        let before = self.before.as_ref().ok()?;
        let node = before.namespaces.iter().find(|one| one.is_node)?.id;
        let links = before.links.value()?;
        Some(links.iter().filter(|link| link.netns == node).count())
    }

    /// Reads the other end.
    pub fn end(self, edge: &mut dyn FnMut()) -> Seen {
        let Self { sources, before } = self;
        let both = sources.and_then(|sources| {
            let (after, tun_holders) = read(&sources, edge)?;
            Ok((before?, after, tun_holders))
        });
        match both {
            Ok((before, after, tun_holders)) => {
                let (namespaces, links) = reading::merge(before, after);
                Seen {
                    namespaces,
                    links,
                    tun_holders,
                }
            }
            Err(reason) => Seen {
                namespaces: Vec::new(),
                links: Observed::Unavailable {
                    reason: reason.clone(),
                },
                tun_holders: Observed::Unavailable { reason },
            },
        }
    }
}

fn read(
    sources: &Sources,
    edge: &mut dyn FnMut(),
) -> Result<(Reading, Observed<Vec<TunHolder>>), String> {
    let discovery = sources.discover().map_err(|error| describe(&error))?;
    edge();
    let mut reading = sources.read(&discovery);
    edge();
    sources.describe(&discovery, &mut reading);
    let has_tun = reading
        .links
        .value()
        .is_some_and(|links| links.iter().any(|link| is_held_open(link)));
    let tun_holders = if has_tun {
        sources.tun_holders(&discovery)
    } else {
        Observed::Complete { value: Vec::new() }
    };
    Ok((reading, tun_holders))
}

/// Kinds of devices that a process reads and writes through a file.
fn is_held_open(link: &Link) -> bool {
    matches!(link.kind.as_deref(), Some("tun" | "macvtap" | "ipvtap"))
}

fn describe(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
