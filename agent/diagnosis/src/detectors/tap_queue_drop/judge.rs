//! Devices with full queues, their readers, and the senders whose packets had to be sent again.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use super::race;
use crate::{
    Window,
    causes::{Cause, QUEUE_CHECK_RACE, READER_STOPPED, RECEIVE_QUEUE_FULL, TRANSMIT_QUEUE_FULL},
    detectors::kit::{
        Tally, harm,
        seen::{Around, Seen},
        unclaimed,
        unreachable::unreachable,
    },
    evidence::{DropCount, Link, LinkId, LinkKind, Namespace, Owner},
    explained_retransmissions::Explained,
    finding::{Assessment, Confidence, Culprit, Harm, Outcome, Severity},
    kernel::{Reason, site},
    packets::ip::{IpPacket, TCP},
};

/// Shortest queue worth setting, packets: half a second of 2,000 packets a second.
const ENOUGH_LENGTH: u32 = 1_000;
/// From here on a longer queue only makes packets wait longer.
const LONG_QUEUE: u32 = 10_000;

/// Retransmissions 200 ms late from which drops are a warning, however small their part of all packets is: quick
/// requests and bare acknowledgements make that part small, and the flows that waited no quicker.
const MANY_LATE: u64 = 30;

/// A reader that took nothing for so long, milliseconds, is stopped and no slow one.
const STOPPED_MS: u64 = 1_000;

/// As many senders as a person reads.
const SENDERS_SHOWN: usize = 3;

/// The way of the packets that found the queue full. Reader and queue are the same, the counter is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    /// macvtap, ipvtap: `tap_handle_frame` counts what the lower device received for the guest as `rx_dropped`.
    Receive,
    /// TUN, TAP: `tun_net_xmit` counts what the stack sent to the program as `tx_dropped`.
    Transmit,
}

impl Direction {
    /// The cause of drops there on this kernel (`uname -r`).
    fn cause(self, kernel: &str) -> &'static Cause {
        match self {
            Self::Receive if race::has_unlocked_check(kernel) => &QUEUE_CHECK_RACE,
            Self::Receive => &RECEIVE_QUEUE_FULL,
            Self::Transmit => &TRANSMIT_QUEUE_FULL,
        }
    }

    pub(super) fn counter(self) -> &'static str {
        match self {
            Self::Receive => "rx_dropped",
            Self::Transmit => "tx_dropped",
        }
    }

    /// Packets that found room meanwhile.
    fn carried(self, link: &Link, lost: u64) -> u64 {
        match self {
            // macvlan_handle_frame counts a packet before tap_handle_frame looks for room.
            Self::Receive => harm::received_beside(link, lost),
            Self::Transmit => harm::sent(link),
        }
    }

    /// `tun_net_xmit` counts a packet when it is read, so that one of those that were carried proves a reader. What a
    /// macvtap carried may wait in its queue; then no more of it than the queue holds.
    fn may_be_stopped(self, tally: &Tally, carried: u64, length: u32) -> bool {
        self == Self::Receive && carried <= u64::from(length) && tally.lasted_ms() >= STOPPED_MS
    }

    pub(super) fn increase(self, link: &Link) -> u64 {
        link.increase(|stats| match self {
            Self::Receive => stats.rx_dropped,
            Self::Transmit => stats.tx_dropped,
        })
    }
}

/// A device whose queue overflowed within the window.
pub(super) struct FullQueue<'a> {
    pub(super) direction: Direction,
    pub(super) cause: &'static Cause,
    pub(super) link: &'a Link,
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
    /// The processes that have the device open, as far as it could be seen.
    pub(super) readers: Vec<&'a Owner>,
    /// Retransmissions that the drops explain.
    pub(super) explained: Option<Explained>,
    /// Namespaces of this node that hold an address of a sampled TCP packet and sent segments again: first those that
    /// sent what was dropped, then those that received its answers.
    pub(super) senders: Vec<&'a Namespace>,
    /// A length of the queue that is worth setting, where there is one.
    pub(super) longer: Option<u32>,
    /// Packets that found room meanwhile.
    pub(super) carried: u64,
    /// The reader took nothing or, where packets found room, no more than a slow one takes. No length helps.
    pub(super) is_stopped: bool,
}

impl FullQueue<'_> {
    /// Not one packet found room, so that not one was read.
    pub(super) fn has_taken_nothing(&self) -> bool {
        self.carried == 0
    }
}

/// Drops at one device.
struct Drops<'a> {
    link: &'a Link,
    namespace: &'a Namespace,
    tally: Tally,
    /// The kernel named both reason and function.
    is_proved: bool,
}

/// The devices whose queue was full, in the order of their namespaces and indices.
pub(super) fn full_queues<'a>(
    window: &'a Window<'_>,
    so_far: &Outcome,
) -> impl Iterator<Item = FullQueue<'a>> {
    let mut queues: BTreeMap<(LinkId, Direction), Drops<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let place = key.netns.and_then(|netns| {
            let link = window.topology.link(netns, key.ifindex)?;
            Some((link, window.namespace(netns)?, direction(key, link)?))
        });
        let Some((link, namespace, direction)) = place else {
            continue;
        };
        let drops = queues
            .entry(((link.netns, link.ifindex), direction))
            .or_insert_with(|| Drops {
                link,
                namespace,
                tally: Tally::default(),
                is_proved: true,
            });
        drops.tally.add(index, key);
        drops.is_proved &= key.reason == Reason::FULL_RING && !key.location.is_hidden();
    }
    let queues = queues.into_iter();
    queues.map(|((_, direction), drops)| FullQueue::of(window, direction, drops))
}

/// The way of this key's packets, if they found a queue full.
fn direction(key: &DropCount, link: &Link) -> Option<Direction> {
    let by_kind = match link.kind {
        Some(LinkKind::MacVtap | LinkKind::IpVtap) => Some(Direction::Receive),
        Some(LinkKind::Tun) => Some(Direction::Transmit),
        _ => None,
    };
    let by_location = if key.location.is_hidden() {
        by_kind
    } else if key.location.is_of(&site::TAP_HANDLE_FRAME) {
        Some(Direction::Receive)
    } else if key.location.is_of(&site::TUN_NET_XMIT) {
        Some(Direction::Transmit)
    } else {
        None
    };
    // `ptr_ring_produce` found no room (tap.c and tun.c, 5.18 on).
    let is_named = key.reason == Reason::FULL_RING;
    // Before 5.17 the function must tell. `tun_net_xmit` also refuses frames while nobody has the device open, and then
    // it has no carrier (`__tun_detach`).
    let is_told_by_function =
        key.reason.is_absent() && !key.location.is_hidden() && !link.lacks_carrier();
    by_location.filter(|_| is_named || is_told_by_function)
}

impl<'a> FullQueue<'a> {
    fn of(window: &'a Window<'_>, direction: Direction, drops: Drops<'a>) -> Self {
        let Drops {
            link,
            namespace,
            tally,
            is_proved,
        } = drops;
        let length = link.tx_queue_length;
        let carried = direction.carried(link, tally.count);
        let has_taken_nothing = carried == 0;
        let is_stopped = has_taken_nothing || direction.may_be_stopped(&tally, carried, length);
        let cause = match is_stopped {
            true => &READER_STOPPED,
            false => direction.cause(&window.node.kernel),
        };
        let may_race = *cause == QUEUE_CHECK_RACE;
        let explained = Explained::by(window, &tally.keys);
        let longer = length.saturating_mul(4).clamp(ENOUGH_LENGTH, LONG_QUEUE);
        Self {
            direction,
            cause,
            link,
            namespace,
            assessment: {
                let of_slow = || assessment(window, &tally, carried, explained.as_ref());
                match (is_stopped, has_taken_nothing) {
                    (true, true) => of_stopped(window, namespace, link, &tally),
                    (true, false) => {
                        may_be_slow(of_stopped(window, namespace, link, &tally), &of_slow())
                    }
                    (false, _) => of_slow(),
                }
            },
            carried,
            confidence: if may_race {
                // A queue that was really full looks the same there.
                Confidence::Possible
            } else if is_proved && (has_taken_nothing || !is_stopped) {
                Confidence::Certain
            } else {
                Confidence::Likely
            },
            readers: readers(window, link),
            explained,
            senders: retransmitting(window, &tally),
            longer: (length < LONG_QUEUE && !is_stopped).then_some(longer),
            is_stopped,
            tally,
        }
    }
}

/// Loss by its share of what found room. Where many retransmissions came late because of it, that share acquits nobody.
fn assessment(
    window: &Window<'_>,
    tally: &Tally,
    carried: u64,
    explained: Option<&Explained>,
) -> Assessment {
    let by_share = harm::loss(window, tally, Culprit::Unknown, Some(carried));
    let are_late = explained.is_some_and(|explained| explained.late >= MANY_LATE);
    if are_late && by_share.severity() == Severity::Info {
        return by_share.out_of(None);
    }
    by_share
}

/// A reader that seems to be stopped may be a slow one, whose loss may be more urgent.
fn may_be_slow(stopped: Assessment, slow: &Assessment) -> Assessment {
    match stopped.harm {
        Harm::None => stopped,
        _ => stopped.no_less_than(slow.severity()),
    }
}

/// Nothing gets through to a reader that is stopped: an outage of what was for nobody else.
fn of_stopped(
    window: &Window<'_>,
    namespace: &Namespace,
    link: &Link,
    tally: &Tally,
) -> Assessment {
    let around = Around::of(namespace, link);
    let mut samples = tally.samples(window);
    let is_for_groups =
        !tally.lacks_samples(window) && samples.all(|sample| Seen::Group.is(sample, around));
    if is_for_groups {
        return Assessment::none().with_packets(tally.count);
    }
    let judged = unreachable(window, tally, around, Culprit::Unknown);
    harm::unless_dead(window, tally, judged)
}

fn readers<'a>(window: &'a Window<'_>, link: &Link) -> Vec<&'a Owner> {
    let holders = window.tun_holders_of(link).into_iter();
    holders.map(|holder| &holder.owner).collect()
}

fn retransmitting<'a>(window: &'a Window<'_>, tally: &Tally) -> Vec<&'a Namespace> {
    let packets: Vec<IpPacket<'_>> = tally
        .samples(window)
        .filter_map(IpPacket::of_sample)
        .filter(|packet| packet.protocol == TCP)
        .collect();
    let holders = |address: IpAddr| window.holders_of(address).iter();
    let sources = packets.iter().flat_map(|packet| holders(packet.source));
    let destinations = packets
        .iter()
        .flat_map(|packet| holders(packet.final_destination));
    // The node's own namespace before those of its pods.
    let key =
        |is_source: bool, namespace: &Namespace| (!is_source, !namespace.is_node, namespace.id);
    let sources = sources.map(|(namespace, _)| (key(true, namespace), *namespace));
    let destinations = destinations.map(|(namespace, _)| (key(false, namespace), *namespace));
    let ends: BTreeMap<_, &Namespace> = sources.chain(destinations).collect();
    let mut seen = HashSet::new();
    ends.into_values()
        .filter(|namespace| seen.insert(namespace.id))
        .filter(|namespace| {
            let segments = namespace.increase("Tcp.RetransSegs");
            segments.is_some_and(|segments| segments > 0)
        })
        .take(SENDERS_SHOWN)
        .collect()
}
