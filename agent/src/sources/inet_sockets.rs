//! Sockets of TCP, UDP and raw IP out of the iterator's records, at both ends of a window.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use netdiag_abi::inet_sockets::InetSocketRecord;
use netdiag_diagnosis::evidence::{
    InetSocket, Missing, NamespaceSettings, NetnsId, Observed, Owner, SocketQueues,
};

use crate::{
    bounded::{Bounded, Overflows, shared},
    probes::Error,
};

use super::{pods::Pods, processes::Ticks};

/// The most sockets that are kept.
const MOST_SOCKETS: usize = 4_096;
/// `TCP_LISTEN` and IPPROTO_TCP.
const LISTEN: u8 = 10;
const TCP: u16 = 6;
const AF_INET6: u16 = 10;

/// The records of one end, in the namespaces that are wanted, each socket once.
pub(crate) struct InetReading {
    records: Result<Vec<InetSocketRecord>, Missing>,
    overflows: Overflows,
    read_at: Ticks,
}

/// The identity of a socket: the kernel uses the address of a closed one again.
type Identity = (u64, u32, u64, u16, u16, [u8; 16]);

impl InetReading {
    /// Takes the records; `read_at`: before they were read.
    pub(super) fn new(
        records: Result<Bounded<Vec<InetSocketRecord>>, Error>,
        read_at: Ticks,
        wanted: impl Fn(NetnsId, Option<u64>) -> bool,
    ) -> Self {
        let mut overflows = Overflows::default();
        let records = match records {
            Ok(records) => {
                let mut records = unique(records.noted(&mut overflows));
                let cookie =
                    |record: &InetSocketRecord| Some(record.cookie).filter(|one| *one != 0);
                records.retain(|record| wanted(NetnsId(record.inum), cookie(record)));
                Ok(records)
            }
            Err(error) => Err(error.missing()),
        };
        Self {
            records,
            overflows,
            read_at,
        }
    }

    /// The settings of the namespaces that have such sockets. Those of other namespaces are not known.
    pub(crate) fn settings(&self) -> HashMap<NetnsId, NamespaceSettings> {
        let records = self.records.as_deref().unwrap_or_default();
        let of = |record: &InetSocketRecord| NamespaceSettings {
            somaxconn: Some(record.somaxconn),
            tcp_max_syn_backlog: Some(record.syn_backlog),
            tcp_syncookies: Some(record.syncookies),
            tcp_abort_on_overflow: Some(record.abort_on_overflow != 0),
            ..NamespaceSettings::default()
        };
        let settings = records.iter();
        settings
            .map(|record| (NetnsId(record.inum), of(record)))
            .collect()
    }
}

/// The sockets at the end of a window, with their queues at its start.
pub(super) fn between(
    before: &InetReading,
    after: &InetReading,
    pods: &Pods,
) -> Observed<Vec<InetSocket>> {
    let records = match &after.records {
        Ok(records) => records.clone(),
        Err(missing) => return Observed::unavailable(missing.clone()),
    };
    let mut missing: Vec<Missing> = after.overflows.missing().collect();
    let was_whole = before.overflows.missing().next().is_none();
    let (earlier, was_read) = match &before.records {
        Ok(earlier) => (earlier.as_slice(), was_whole),
        Err(_) => (&[][..], false),
    };
    if !was_read {
        missing.push(Missing::failed(
            "what sockets had dropped at the start of the window",
        ));
    }
    let earlier: HashMap<Identity, &InetSocketRecord> = earlier
        .iter()
        .map(|record| (identity(record), record))
        .collect();
    let mut owners = HashMap::<u32, Owner>::new();
    let mut kept = bounded(records, &mut missing);
    kept.sort_by_key(|record| {
        (
            record.inum,
            record.pid,
            record.protocol,
            record.port,
            record.socket,
        )
    });
    let sockets = kept.into_iter().map(|record| {
        let was = earlier.get(&identity(&record)).copied();
        // A counter that fell is another socket's.
        let was = was.filter(|was| was.drops <= record.drops);
        let before = was.or((!was_read).then_some(&record)).map(queues);
        let owner = owners
            .entry(record.pid)
            .or_insert_with(|| pods.owner(record.pid, after.read_at));
        socket(&record, before, owner.clone())
    });
    let sockets = sockets.collect();
    Observed::without(sockets, missing)
}

/// Those that have dropped something come first, then listeners, so that a bound leaves out what matters least.
fn bounded(
    mut records: Vec<InetSocketRecord>,
    missing: &mut Vec<Missing>,
) -> Vec<InetSocketRecord> {
    records.sort_by_key(|record| (record.drops == 0, !is_listening(record), record.socket));
    let mut overflows = Overflows::default();
    let kept = shared(records, MOST_SOCKETS, "sockets", |record| record.inum);
    let kept = kept.noted(&mut overflows);
    missing.extend(overflows.missing());
    kept
}

/// One record for each socket, of the lowest-numbered process that holds it: a child inherits its parent's.
fn unique(records: Vec<InetSocketRecord>) -> Vec<InetSocketRecord> {
    let mut by_socket = BTreeMap::<u64, InetSocketRecord>::new();
    for record in records {
        let known = by_socket.entry(record.socket).or_insert(record);
        if record.pid < known.pid {
            *known = record;
        }
    }
    by_socket.into_values().collect()
}

fn identity(record: &InetSocketRecord) -> Identity {
    let InetSocketRecord {
        socket,
        inum,
        cookie,
        protocol,
        port,
        address,
        ..
    } = *record;
    (socket, inum, cookie, protocol, port, address)
}

fn is_listening(record: &InetSocketRecord) -> bool {
    record.protocol == TCP && record.state == LISTEN
}

fn queues(record: &InetSocketRecord) -> SocketQueues {
    SocketQueues {
        accept: record.accept_queue,
        syn: record.syn_queue,
        oldest: record.oldest,
        memory: record.receive_memory,
        drops: record.drops,
    }
}

fn socket(record: &InetSocketRecord, before: Option<SocketQueues>, owner: Owner) -> InetSocket {
    let [a, b, c, d, ..] = record.address;
    InetSocket {
        netns: NetnsId(record.inum),
        owner,
        protocol: u8::try_from(record.protocol).unwrap_or(u8::MAX),
        is_listening: is_listening(record),
        address: match record.family {
            AF_INET6 => IpAddr::from(record.address),
            _ => IpAddr::from([a, b, c, d]),
        },
        port: record.port,
        is_v6_only: record.is_v6_only != 0,
        ifindex: record.ifindex,
        accept_limit: record.accept_limit,
        receive_buffer: record.receive_buffer,
        before,
        after: queues(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: u32 = 0x7fff_0000;

    fn record(socket: u64, drops: u32) -> InetSocketRecord {
        InetSocketRecord {
            socket,
            pid: PID,
            inum: 7,
            protocol: TCP,
            state: LISTEN,
            family: 2,
            port: 80,
            address: [10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            accept_limit: 3,
            accept_queue: 4,
            drops,
            syncookies: 1,
            ..InetSocketRecord::default()
        }
    }

    fn reading(records: &[InetSocketRecord]) -> InetReading {
        let records = Ok(Bounded::whole(records.to_vec()));
        InetReading::new(records, Ticks::now(), |_, _| true)
    }

    fn unread() -> InetReading {
        let missing = Missing::unsupported("no BPF");
        InetReading {
            records: Err(missing),
            overflows: Overflows::default(),
            read_at: Ticks::now(),
        }
    }

    fn sockets(before: &InetReading, after: &InetReading) -> Observed<Vec<InetSocket>> {
        between(before, after, &Pods::default())
    }

    #[test]
    fn a_socket_counts_what_it_dropped_within_the_window() {
        let mut child = record(1, 9);
        child.pid = PID + 1;
        let seen = sockets(
            &reading(&[record(1, 4)]),
            &reading(&[child, record(1, 9), record(2, 3)]),
        );
        assert_eq!(seen.missing(), None);
        let seen = seen.value().unwrap();
        let of: Vec<_> = seen
            .iter()
            .map(|one| (one.owner.pid, one.dropped()))
            .collect();
        assert_eq!(of, [(PID, 5), (PID, 3)]);
        assert_eq!(seen[0].address.to_string(), "10.0.0.9");
        assert!(seen[0].is_listening && seen[0].is_accept_queue_full(&seen[0].after));
    }

    #[test]
    fn the_address_of_a_closed_socket_is_used_again() {
        let mut other = record(1, 2);
        other.port = 81;
        let seen = sockets(&reading(&[record(1, 900)]), &reading(&[other]));
        assert_eq!(seen.value().unwrap()[0].dropped(), 2);
        let seen = sockets(&reading(&[record(1, 900)]), &reading(&[record(1, 2)]));
        assert_eq!(seen.value().unwrap()[0].dropped(), 2);
    }

    #[test]
    fn without_the_start_nothing_is_counted_and_that_is_told() {
        let seen = sockets(&unread(), &reading(&[record(1, 900)]));
        assert_eq!(seen.value().unwrap()[0].dropped(), 0);
        assert!(seen.missing().unwrap().contains("at the start"));
        let seen = sockets(&reading(&[]), &unread());
        assert_eq!(seen.value(), None);
        assert!(seen.missing().unwrap().contains("no BPF"));
    }

    #[test]
    fn sockets_that_dropped_are_kept_first() {
        let many = (1..=2 * MOST_SOCKETS as u64).map(|socket| record(socket, 0));
        let many: Vec<_> = many.chain([record(1 << 40, 1)]).collect();
        let seen = sockets(&reading(&many), &reading(&many));
        assert!(
            seen.missing().unwrap().contains("4097 sockets"),
            "{:?}",
            seen.missing()
        );
        let seen = seen.value().unwrap();
        assert_eq!(seen.len(), MOST_SOCKETS);
        assert!(seen.iter().any(|one| one.after.drops == 1));
    }

    #[test]
    fn a_namespace_with_sockets_tells_its_settings() {
        let settings = reading(&[record(1, 0)]).settings();
        assert_eq!(settings[&NetnsId(7)].tcp_syncookies, Some(1));
    }
}
