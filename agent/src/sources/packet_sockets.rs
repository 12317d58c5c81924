//! Packet sockets (AF_PACKET) with their owners and memberships.

use std::collections::{BTreeMap, HashMap};

use netdiag_abi::packet_sockets::{MAX_MEMBERSHIPS, PacketSocketRecord};
use netdiag_diagnosis::evidence::{
    Membership, MembershipKind, Missing, NetnsId, Observed, PacketSocket,
};

use crate::bounded::{Bounded, Overflows, shared};

use super::{
    descriptors,
    namespaces::{Discovery, OpenNamespace},
    pods::Pods,
    proc_net::ProcNet,
    processes::Ticks,
};

/// The most sockets that are kept.
const MOST_SOCKETS: usize = 4_096;

/// Sockets out of the iterator's records: one for each socket, owned by the lowest-numbered process that holds it
/// (a child inherits its parent's). Only those in a namespace that is wanted. `read_at`: before the records were read.
pub(super) fn from_records(
    records: Bounded<Vec<PacketSocketRecord>>,
    pods: &Pods,
    read_at: Ticks,
    earlier: Option<&PacketDrops>,
    wanted: impl Fn(NetnsId, Option<u64>) -> bool,
) -> (Observed<Vec<PacketSocket>>, PacketDrops) {
    let mut overflows = Overflows::default();
    let records = records.noted(&mut overflows);
    let mut missing: Vec<Missing> = overflows.missing().collect();
    let drops = PacketDrops::of(&records, missing.is_empty());
    if earlier.is_some_and(|earlier| !earlier.is_whole) {
        missing.push(Missing::failed(
            "what packet sockets had dropped at the start of the window",
        ));
    }
    let sockets: Vec<_> = unique(&records)
        .into_iter()
        .filter(|record| wanted(NetnsId(record.inum), cookie(record)))
        .map(|record| {
            if usize::from(record.memberships) > MAX_MEMBERSHIPS {
                missing.push(Missing::failed(format!(
                    "memberships beyond {MAX_MEMBERSHIPS} of a socket of process {}",
                    record.pid
                )));
            }
            PacketSocket {
                netns: NetnsId(record.inum),
                owner: pods.owner(record.pid, read_at),
                ethertype: u16::from_be(record.protocol),
                // -1 when the device that it was bound to is gone: it receives nothing, from whatever device.
                ifindex: u32::try_from(record.ifindex).unwrap_or(u32::MAX),
                memberships: memberships(record),
                receive_buffer: record.receive_buffer,
                has_ring: record.has_ring != 0,
                dropped: earlier.map_or(0, |earlier| earlier.until(record)),
            }
        })
        .collect();
    let sockets = bound(sockets, &mut missing);
    (Observed::without(sockets, missing), drops)
}

/// The drops of packet sockets at one moment.
#[derive(Default)]
pub(crate) struct PacketDrops {
    /// The counts of the socket and of its ring, by what makes two records one socket.
    by_socket: HashMap<(u64, u64, u32, u16), (u32, u32)>,
    /// All sockets are among them.
    is_whole: bool,
}

impl PacketDrops {
    fn of(records: &[PacketSocketRecord], is_whole: bool) -> Self {
        let counts = records.iter();
        Self {
            by_socket: counts
                .map(|record| (Self::key(record), (record.drops, record.ring_drops)))
                .collect(),
            is_whole,
        }
    }

    fn key(record: &PacketSocketRecord) -> (u64, u64, u32, u16) {
        (record.socket, record.cookie, record.inum, record.protocol)
    }

    /// The packets that the socket has dropped since. A query of PACKET_STATISTICS sets the ring's count to 0.
    fn until(&self, record: &PacketSocketRecord) -> u32 {
        let (drops, ring) = match self.by_socket.get(&Self::key(record)) {
            Some(before) => *before,
            None if self.is_whole => (0, 0),
            None => return 0,
        };
        let rose = |before: u32, now: u32| now.checked_sub(before).unwrap_or(now);
        rose(drops, record.drops).max(rose(ring, record.ring_drops))
    }
}

/// `net_cookie` where the kernel has one.
fn cookie(record: &PacketSocketRecord) -> Option<u64> {
    Some(record.cookie).filter(|cookie| *cookie != 0)
}

fn unique(records: &[PacketSocketRecord]) -> Vec<&PacketSocketRecord> {
    let mut by_socket = BTreeMap::<u64, &PacketSocketRecord>::new();
    for record in records {
        let known = by_socket.entry(record.socket).or_insert(record);
        if record.pid < known.pid {
            *known = record;
        }
    }
    let mut unique: Vec<_> = by_socket.into_values().collect();
    unique.sort_by_key(|record| (record.inum, record.pid, record.ifindex, record.socket));
    unique
}

fn memberships(record: &PacketSocketRecord) -> Vec<Membership> {
    record
        .list
        .iter()
        .take(usize::from(record.memberships))
        .filter_map(|entry| {
            Some(Membership {
                ifindex: entry.ifindex,
                kind: match entry.kind {
                    0 => MembershipKind::Multicast,
                    1 => MembershipKind::Promiscuous,
                    2 => MembershipKind::AllMulticast,
                    3 => MembershipKind::Unicast,
                    _ => return None,
                },
                count: entry.count,
            })
        })
        .collect()
}

/// Sockets as /proc/net/packet lists them, for kernels without the iterator: neither memberships nor, on kernels
/// before 5.14 (no `ino:` in fdinfo), owners. `why` says why it had to be so.
pub(super) fn from_procfs(
    discovery: &Discovery,
    pods: &Pods,
    wanted: impl Fn(&OpenNamespace) -> bool,
    why: Missing,
) -> Observed<Vec<PacketSocket>> {
    let mut listed = Vec::new();
    let mut overflows = Overflows::default();
    for namespace in discovery.namespaces.iter().filter(|one| wanted(one)) {
        let text = namespace.read_proc_net(ProcNet::Packet);
        let text = text.map(|text| text.noted(&mut overflows));
        let lines = text.as_deref().unwrap_or_default().lines().skip(1);
        listed.extend(lines.filter_map(|line| Some((namespace.id, parse_line(line)?))));
    }
    let read_at = Ticks::now();
    let holders = if listed.is_empty() {
        HashMap::new()
    } else {
        let inodes: Vec<_> = listed.iter().map(|(_, line)| line.inode).collect();
        descriptors::holders_of_sockets(&inodes)
    };
    let Missing { text, why } = why;
    let text = format!("which packet sockets ask for promiscuity was not read ({text})");
    let mut missing = vec![Missing { text, why }];
    missing.extend(overflows.missing());
    let sockets: Vec<_> = listed
        .into_iter()
        .map(|(netns, line)| PacketSocket {
            netns,
            owner: holders
                .get(&line.inode)
                .map(|pid| pods.owner(*pid, read_at))
                .unwrap_or_default(),
            ethertype: line.ethertype,
            ifindex: line.ifindex,
            ..PacketSocket::default()
        })
        .collect();
    let sockets = bound(sockets, &mut missing);
    Observed::without(sockets, missing)
}

#[derive(Debug, PartialEq)]
pub(super) struct ListedSocket {
    ethertype: u16,
    ifindex: u32,
    inode: u64,
}

/// `packet_seq_show` (net/packet/af_packet.c): sk RefCnt Type Proto Iface R Rmem User Inode, Proto in hexadecimal.
pub(super) fn parse_line(line: &str) -> Option<ListedSocket> {
    let mut words = line.split_whitespace().skip(3);
    Some(ListedSocket {
        ethertype: u16::from_str_radix(words.next()?, 16).ok()?,
        ifindex: words.next()?.parse().ok()?,
        inode: words.nth(3)?.parse().ok()?,
    })
}

fn bound(sockets: Vec<PacketSocket>, missing: &mut Vec<Missing>) -> Vec<PacketSocket> {
    let mut overflows = Overflows::default();
    let kept = shared(sockets, MOST_SOCKETS, "packet sockets", |socket| {
        socket.netns
    });
    let kept = kept.noted(&mut overflows);
    missing.extend(overflows.missing());
    kept
}

#[cfg(test)]
mod tests {
    use netdiag_abi::packet_sockets::MembershipRecord;

    use super::*;

    fn record(socket: u64, pid: u32) -> PacketSocketRecord {
        PacketSocketRecord {
            socket,
            pid,
            inum: 7,
            ifindex: 2,
            protocol: 0x0003_u16.to_be(),
            ..PacketSocketRecord::default()
        }
    }

    fn fold(records: &[PacketSocketRecord]) -> Observed<Vec<PacketSocket>> {
        from_records(
            Bounded::whole(records.to_vec()),
            &Pods::default(),
            Ticks::now(),
            None,
            |_, _| true,
        )
        .0
    }

    #[test]
    fn a_socket_of_two_processes_is_one() {
        // Numbers beyond any pid, so that no process of this machine is meant.
        let high = 0x7fff_0000;
        let folded = fold(&[
            record(1, high + 2),
            record(1, high + 1),
            record(2, high + 3),
        ]);
        let pids: Vec<_> = folded
            .value()
            .unwrap()
            .iter()
            .map(|one| one.owner.pid)
            .collect();
        assert_eq!(pids, [high + 1, high + 3]);
        assert_eq!(folded.value().unwrap()[0].ethertype, 3);
    }

    #[test]
    fn memberships_are_named_and_those_beyond_the_record_reported() {
        let mut some = record(1, 0x7fff_0000);
        some.memberships = 2;
        some.list[0] = MembershipRecord {
            ifindex: 4,
            count: 2,
            kind: 1,
        };
        some.list[1].kind = 99;
        let folded = fold(&[some]);
        assert_eq!(
            folded.value().unwrap()[0].memberships,
            [Membership {
                ifindex: 4,
                kind: MembershipKind::Promiscuous,
                count: 2,
            }]
        );
        assert_eq!(folded.missing(), None);

        some.memberships = 17;
        assert!(fold(&[some]).missing().unwrap().contains("beyond 16"));
    }

    #[test]
    fn drops_are_those_since_the_earlier_reading() {
        let with = |socket, drops, ring_drops| PacketSocketRecord {
            drops,
            ring_drops,
            ..record(socket, 0x7fff_0000)
        };
        let until = |earlier: &PacketDrops, now: PacketSocketRecord| earlier.until(&now);
        let earlier = PacketDrops::of(&[with(1, 5, 9)], true);
        assert_eq!(until(&earlier, with(1, 7, 9)), 2);
        // Somebody asked for the ring's count.
        assert_eq!(until(&earlier, with(1, 5, 3)), 3);
        assert_eq!(until(&earlier, with(2, 4, 0)), 4);
        assert_eq!(until(&PacketDrops::default(), with(2, 4, 0)), 0);
    }

    #[test]
    fn a_socket_whose_device_is_gone_is_bound_to_none_that_exists() {
        let mut gone = record(1, 0x7fff_0000);
        gone.ifindex = -1;
        assert_eq!(fold(&[gone]).value().unwrap()[0].ifindex, u32::MAX);
    }

    #[test]
    fn a_namespace_full_of_sockets_hides_none_of_another() {
        let many = (1..=2 * MOST_SOCKETS as u64).map(|socket| record(socket, 0x7fff_0000));
        let mut other = record(1 << 40, 0x7fff_0000);
        other.inum = 9;
        let folded = fold(&many.chain([other]).collect::<Vec<_>>());
        let sockets = folded.value().unwrap();
        assert_eq!(sockets.len(), MOST_SOCKETS);
        assert!(sockets.iter().any(|socket| socket.netns == NetnsId(9)));
        let missing = folded.missing().unwrap();
        assert_eq!(missing, "4097 packet sockets beyond the limit of 4096");
    }

    #[test]
    fn sockets_elsewhere_are_left_out() {
        let folded = from_records(
            Bounded::whole(vec![record(1, 0x7fff_0000)]),
            &Pods::default(),
            Ticks::now(),
            None,
            |_, _| false,
        )
        .0;
        assert_eq!(folded.value(), Some(&vec![]));
    }

    #[test]
    fn lines_of_procfs_are_read() {
        assert_eq!(
            parse_line("ffff8881 3      3    88cc   12    1 0      0      54321"),
            Some(ListedSocket {
                ethertype: 0x88cc,
                ifindex: 12,
                inode: 54_321,
            })
        );
        assert_eq!(parse_line(""), None);
        assert_eq!(parse_line("a b c d e f g h i"), None);
    }
}
