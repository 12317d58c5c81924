//! A few protocol counters of each namespace, read again and again while a window runs: what raises the questions that
//! attach a probe.

use std::time::{Duration, Instant};

use netdiag_diagnosis::evidence::{Namespace, NetnsId};

use super::{
    counters::Counters,
    proc_net::{self, ProcNet},
    reading::Reading,
    snmp,
};
use crate::probes::question::{ProtocolCounters, Rise};

/// The longest time of one read. A node with many pods is read in turn, so that this costs a few thousandths of a CPU.
const MOST_TIME: Duration = Duration::from_millis(3);

/// The namespaces whose counters are followed: those that were there when the window began and have a process.
#[derive(Debug, Default)]
pub(crate) struct CounterWatch {
    followed: Vec<Followed>,
    next: usize,
}

#[derive(Debug)]
struct Followed {
    netns: NetnsId,
    pids: Vec<u32>,
    last: ProtocolCounters,
}

impl CounterWatch {
    /// Follows the namespaces of a reading from its counters on.
    pub(crate) fn from(reading: &Reading) -> Self {
        let follow = |namespace: &Namespace| {
            let identity = reading.identities.get(&namespace.id)?;
            (!namespace.counters.is_empty()).then(|| Followed {
                netns: namespace.id,
                pids: identity.processes.iter().map(|(pid, _)| *pid).collect(),
                last: of(&namespace.counters),
            })
        };
        Self {
            followed: reading.namespaces.iter().filter_map(follow).collect(),
            next: 0,
        }
    }

    /// Reads the counters that have risen after the previous reading of each namespace: of all namespaces, or of the
    /// next few where there are many.
    pub(crate) fn read(&mut self) -> Vec<Rise> {
        let began = Instant::now();
        let mut rises = Vec::new();
        for _ in 0..self.followed.len() {
            let at = self.next % self.followed.len();
            self.next = at + 1;
            if let Some(followed) = self.followed.get_mut(at) {
                rises.extend(followed.read());
            }
            if began.elapsed() >= MOST_TIME {
                break;
            }
        }
        rises
    }
}

impl Followed {
    fn read(&mut self) -> Option<Rise> {
        // A window's own readings tell of a file that is too long.
        let file = |file| Some(proc_net::read(&self.pids, self.netns, file)?.part());
        // Without IPv6 there is no `snmp6`.
        let now = parse(
            &file(ProcNet::Snmp)?,
            &file(ProcNet::Snmp6).unwrap_or_default(),
        );
        let by = difference(now, self.last);
        self.last = now;
        (by != ProtocolCounters::default()).then_some(Rise {
            netns: self.netns,
            by,
        })
    }
}

fn of(counters: &Counters) -> ProtocolCounters {
    pick(counters.iter().filter_map(|(name, value)| {
        let (protocol, name) = name.split_once('.')?;
        Some((protocol, name, *value))
    }))
}

fn parse(snmp: &str, snmp6: &str) -> ProtocolCounters {
    pick(snmp::pairs_of_lines(snmp).chain(snmp::lines(snmp6)))
}

/// Picks the few values out of some hundred.
pub(super) fn pick<'a>(
    counters: impl Iterator<Item = (&'a str, &'a str, u64)>,
) -> ProtocolCounters {
    let mut picked = ProtocolCounters::default();
    for (protocol, name, value) in counters {
        let to = match (protocol, name) {
            ("Ip" | "Ip6", "ReasmReqds") => &mut picked.fragments,
            ("Ip" | "Ip6", "ReasmFails") => &mut picked.failed_reassemblies,
            ("Tcp", "RetransSegs") => &mut picked.retransmitted_segments,
            _ => continue,
        };
        *to = to.saturating_add(value);
    }
    picked
}

fn difference(now: ProtocolCounters, before: ProtocolCounters) -> ProtocolCounters {
    ProtocolCounters {
        fragments: now.fragments.saturating_sub(before.fragments),
        failed_reassemblies: now
            .failed_reassemblies
            .saturating_sub(before.failed_reassemblies),
        retransmitted_segments: now
            .retransmitted_segments
            .saturating_sub(before.retransmitted_segments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::processes;
    use crate::sources::processes::Ticks;
    use crate::sources::{counters, reading::Identity};

    #[test]
    fn the_counters_are_picked_out_of_both_files() {
        let snmp = "Ip: Forwarding ReasmReqds ReasmFails\nIp: 1 20 3\n\
                    IpExt: ReasmReqds\nIpExt: 9\nTcp: MaxConn RetransSegs\nTcp: -1 5\n";
        let snmp6 = "Ip6ReasmTimeout \t8\nIp6ReasmReqds   \t10\nIp6ReasmFails   \t4\n";
        let expected = ProtocolCounters {
            fragments: 30,
            failed_reassemblies: 7,
            retransmitted_segments: 5,
        };
        assert_eq!(parse(snmp, snmp6), expected);
        assert_eq!(
            parse("Ip: ReasmReqds\n", "Ip6ReasmReqds"),
            ProtocolCounters::default()
        );
    }

    #[test]
    fn both_ways_of_reading_give_the_same() {
        let snmp = std::fs::read_to_string("/proc/net/snmp").unwrap();
        let snmp6 = std::fs::read_to_string("/proc/net/snmp6").unwrap_or_default();
        let mut all = Counters::new();
        counters::add(&mut all, snmp::pairs_of_lines(&snmp)).part();
        counters::add(&mut all, snmp::lines(&snmp6)).part();
        assert_eq!(parse(&snmp, &snmp6), of(&all));
    }

    #[test]
    fn a_rise_counts_from_the_read_before() {
        let own = std::fs::metadata("/proc/self/ns/net").unwrap();
        let id = processes::inode(&own).unwrap();
        let reading = |counters: Counters| Reading {
            namespaces: vec![Namespace {
                id,
                counters,
                ..Namespace::default()
            }],
            identities: [(
                id,
                Identity {
                    processes: vec![(std::process::id(), Ticks(0))],
                    ..Identity::default()
                },
            )]
            .into(),
            ..Reading::default()
        };
        // A namespace whose counters could not be read has no beginning to count from.
        assert_eq!(CounterWatch::from(&reading(Counters::new())).read(), []);

        let far_ahead = [("Tcp.RetransSegs", u64::MAX), ("Ip.ReasmReqds", u64::MAX)]
            .map(|(name, value)| (name.to_owned(), value));
        let mut pulse = CounterWatch::from(&reading(Counters::from(far_ahead)));
        assert_eq!(pulse.followed.len(), 1);
        let first = pulse.read();
        assert!(
            first
                .iter()
                .all(|rise| rise.by.fragments == 0 && rise.by.retransmitted_segments == 0),
            "{first:?}"
        );
        assert_ne!(pulse.followed[0].last.fragments, u64::MAX);
    }
}
