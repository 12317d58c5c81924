//! The readings at one end of a window, and two ends made into one window. Pure.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use netdiag_diagnosis::evidence::{Link, Missing, Namespace, NetnsId, Observed};

use super::{
    links,
    namespaces::OpenNamespace,
    processes::{self, Ticks},
};
use crate::bounded::Overflows;

/// Namespaces, their counters and links as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// The node's own first. `counters` is filled, `counters_before` is not.
    pub namespaces: Vec<Namespace>,
    /// Links of those namespaces. `stats` is filled, `stats_before` is not.
    pub links: Observed<Vec<Link>>,
    /// Namespaces whose links were read in full.
    pub(super) links_read: HashSet<NetnsId>,
    /// By what a namespace is known again when its number may have been reused.
    pub(super) identities: HashMap<NetnsId, Identity>,
    /// The parts of the rest that were beyond a limit.
    pub(super) overflows: Overflows,
}

/// Marks of a namespace. The kernel gives its number to the next one as soon as it is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// `net->net_cookie`, never reused, but not always readable.
    pub cookie: Option<u64>,
    /// Seconds and nanoseconds at which the namespace's inode was made. It lives as long as something holds it, so a
    /// newer one proves nothing, but the same one does.
    pub inode_changed: (i64, i64),
    /// Some processes in it, each with its start.
    pub processes: Vec<(u32, Ticks)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Continuity {
    Same,
    Another,
    Unknown,
}

impl Identity {
    pub(super) fn of(open: &OpenNamespace) -> Self {
        let pids = open.pids.iter();
        Self {
            cookie: open.cookie,
            inode_changed: open.inode_changed,
            processes: pids
                .filter_map(|pid| Some((*pid, processes::started(*pid)?)))
                .collect(),
        }
    }

    fn continuity(&self, later: &Self) -> Continuity {
        if let (Some(before), Some(after)) = (self.cookie, later.cookie) {
            return if before == after {
                Continuity::Same
            } else {
                Continuity::Another
            };
        }
        if self.inode_changed == later.inode_changed
            || self
                .processes
                .iter()
                .any(|process| later.processes.contains(process))
        {
            Continuity::Same
        } else {
            Continuity::Unknown
        }
    }
}

/// Groups that were joined at either end: a program may have left meanwhile.
fn union(one: Option<Vec<IpAddr>>, other: Option<Vec<IpAddr>>) -> Option<Vec<IpAddr>> {
    let mut all = one?;
    all.extend(other?);
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// The namespaces and links of a window.
#[derive(Debug)]
pub(crate) struct Merged {
    /// Those of the end, then those that ended within the window.
    pub namespaces: Vec<Namespace>,
    /// The links of the end.
    pub links: Observed<Vec<Link>>,
    /// The links that ended within the window.
    pub ended: Vec<Link>,
}

/// The namespaces and links of the window between two readings. `between` are readings within it, of what was new then.
///
/// A namespace or link that was made within the window counts from nothing. One that was there before, but could not
/// be read then, is left out, because its whole past would look like the window's.
pub(crate) fn merge(before: Reading, between: Vec<Reading>, after: Reading) -> Merged {
    let mut missing: Vec<Missing> = [before.links.missing_part(), after.links.missing_part()]
        .into_iter()
        .flatten()
        .collect();
    // Those of the start are nearly always the same ones.
    missing.extend(after.overflows.missing());
    missing.dedup();

    let mut renewed = HashSet::new();
    let mut left_out = HashSet::new();
    let mut earlier: HashMap<_, _> = before
        .namespaces
        .into_iter()
        .map(|namespace| (namespace.id, namespace))
        .collect();
    let mut namespaces = after.namespaces;
    for namespace in &mut namespaces {
        let Some(was) = earlier.remove(&namespace.id) else {
            continue; // made within the window
        };
        let identity =
            |of: &HashMap<NetnsId, Identity>| of.get(&was.id).cloned().unwrap_or_default();
        match identity(&before.identities).continuity(&identity(&after.identities)) {
            Continuity::Another => {
                renewed.insert(namespace.id);
            }
            Continuity::Same => {
                if was.counters.is_empty() {
                    namespace.counters.clear();
                }
                if !before.links_read.contains(&namespace.id) {
                    left_out.insert(namespace.id);
                }
                namespace.counters_before = was.counters;
                namespace.connections.before = was.connections.after;
                namespace.pod = namespace.pod.take().or(was.pod);
                namespace.multicast_groups =
                    union(was.multicast_groups, namespace.multicast_groups.take());
            }
            Continuity::Unknown => {
                missing.push(Missing::failed(format!(
                    "{}: it may be another namespace than at the start",
                    namespace.id
                )));
                namespace.counters.clear();
                left_out.insert(namespace.id);
            }
        }
    }
    let mut links_before = before.links.value().cloned().unwrap_or_default();
    // What came within the window and may be gone again.
    for reading in between {
        links_before.extend(reading.links.value().into_iter().flatten().cloned());
        for namespace in reading.namespaces {
            let is_known = namespaces.iter().any(|one| one.id == namespace.id);
            if !is_known {
                earlier.entry(namespace.id).or_insert(namespace);
            }
        }
    }
    // Namespaces that ended within the window: named, so that drops seen there can be placed, but without counters.
    let mut ended: Vec<_> = earlier.into_values().collect();
    ended.sort_by_key(|namespace| namespace.id);
    namespaces.extend(ended.into_iter().map(|mut namespace| {
        namespace.counters.clear();
        namespace.pid = None;
        namespace
    }));
    let links_after = after.links.value().map_or(&[][..], Vec::as_slice);
    let mut ended = links::ended(&links_before, links_after, |netns| {
        !renewed.contains(&netns)
            && !left_out.contains(&netns)
            && namespaces.iter().any(|one| one.id == netns)
    });
    ended.sort_by_key(Link::id);
    ended.dedup_by_key(|link| link.id());

    let links = match (before.links, after.links) {
        (links @ Observed::Unavailable { .. }, _) | (_, links @ Observed::Unavailable { .. }) => {
            links
        }
        (
            Observed::Complete { value: before } | Observed::Partial { value: before, .. },
            Observed::Complete { value: mut after }
            | Observed::Partial {
                value: mut after, ..
            },
        ) => {
            after.retain(|link| !left_out.contains(&link.netns));
            Observed::without(links::merge(&before, after, &renewed), missing)
        }
    };
    Merged {
        namespaces,
        links,
        ended,
    }
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::{LinkStats, Pod};

    use super::*;

    const ID: NetnsId = NetnsId(7);

    fn reading(identity: Identity, count: u64) -> Reading {
        Reading {
            namespaces: vec![Namespace {
                id: ID,
                pid: Some(3),
                counters: [("Tcp.InCsumErrors".to_owned(), count)].into(),
                ..Namespace::default()
            }],
            links: Observed::Complete {
                value: vec![Link {
                    netns: ID,
                    ifindex: 2,
                    stats: LinkStats {
                        rx_dropped: count,
                        ..LinkStats::default()
                    },
                    ..Link::default()
                }],
            },
            links_read: [ID].into(),
            identities: [(ID, identity)].into(),
            ..Reading::default()
        }
    }

    fn cookie(cookie: u64) -> Identity {
        Identity {
            cookie: Some(cookie),
            ..Identity::default()
        }
    }

    fn made_at(seconds: i64, processes: &[(u32, u64)]) -> Identity {
        Identity {
            cookie: None,
            inode_changed: (seconds, 0),
            processes: processes
                .iter()
                .map(|(pid, start)| (*pid, Ticks(*start)))
                .collect(),
        }
    }

    /// The increases of the namespace's counter and of its link's, with the reason for what is missing.
    fn increases(before: Reading, after: Reading) -> (Option<u64>, Option<u64>, Option<String>) {
        let Merged {
            namespaces, links, ..
        } = merge(before, Vec::new(), after);
        (
            namespaces[0].increase("Tcp.InCsumErrors"),
            links
                .value()
                .and_then(|links| links.first())
                .map(|link| link.increase(|stats| stats.rx_dropped)),
            links.missing().map(str::to_owned),
        )
    }

    #[test]
    fn a_namespace_with_the_same_cookie_goes_on() {
        let seen = increases(reading(cookie(1), 10), reading(cookie(1), 15));
        assert_eq!(seen, (Some(5), Some(5), None));
    }

    #[test]
    fn a_reused_number_counts_from_nothing() {
        let seen = increases(reading(cookie(1), 10), reading(cookie(2), 15));
        assert_eq!(seen, (Some(15), Some(15), None));
    }

    #[test]
    fn without_cookies_the_inode_or_a_process_tells() {
        let same_inode = increases(reading(made_at(5, &[]), 10), reading(made_at(5, &[]), 15));
        assert_eq!(same_inode, (Some(5), Some(5), None));
        let same_process = increases(
            reading(made_at(5, &[(9, 3)]), 10),
            reading(made_at(6, &[(9, 3)]), 15),
        );
        assert_eq!(same_process, (Some(5), Some(5), None));
    }

    #[test]
    fn a_namespace_that_cannot_be_told_from_another_is_left_out() {
        let (counter, link, missing) = increases(
            reading(made_at(5, &[(8, 3)]), 10),
            reading(made_at(6, &[(9, 3), (8, 4)]), 15),
        );
        assert_eq!((counter, link), (None, None));
        assert!(missing.unwrap().contains("net:[7]"));
    }

    #[test]
    fn what_could_not_be_read_at_the_start_is_left_out() {
        let mut before = reading(cookie(1), 10);
        before.namespaces[0].counters.clear();
        before.links_read.clear();
        let (counter, link, _) = increases(before, reading(cookie(1), 15));
        assert_eq!((counter, link), (None, None));
    }

    #[test]
    fn a_namespace_that_ended_keeps_its_name_and_loses_its_counters() {
        let mut before = reading(cookie(1), 10);
        before.namespaces[0].pod = Some(Pod::default());
        let after = Reading {
            links: Observed::Complete { value: vec![] },
            ..Reading::default()
        };
        let Merged {
            namespaces,
            links,
            ended,
        } = merge(before, Vec::new(), after);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].increase(|stats| stats.rx_dropped), 0);
        assert_eq!(namespaces[0].pod, Some(Pod::default()));
        assert_eq!(namespaces[0].increase("Tcp.InCsumErrors"), None);
        assert_eq!(namespaces[0].pid, None);
        assert_eq!(links.value(), Some(&vec![]));
    }

    #[test]
    fn links_that_could_not_be_read_at_one_end_are_unavailable() {
        let mut before = reading(cookie(1), 10);
        before.links = Observed::unavailable(Missing::failed("refused"));
        let merged = merge(before, Vec::new(), reading(cookie(1), 15));
        assert_eq!(merged.links.missing(), Some("refused"));
    }

    #[test]
    fn what_came_and_went_within_the_window_is_named() {
        let empty = || Reading {
            links: Observed::Complete { value: vec![] },
            ..Reading::default()
        };
        let merged = merge(empty(), vec![reading(cookie(3), 7)], empty());
        assert_eq!(merged.namespaces.len(), 1);
        assert_eq!(merged.namespaces[0].increase("Tcp.InCsumErrors"), None);
        assert_eq!(merged.ended.len(), 1);
        let stayed = merge(empty(), vec![reading(cookie(3), 7)], reading(cookie(3), 9));
        assert_eq!((stayed.namespaces.len(), stayed.ended.len()), (1, 0));
    }
}
