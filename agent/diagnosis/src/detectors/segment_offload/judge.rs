//! Packets that receive offload does not join, and super-frames that the kernel takes for malformed on their way out.

use std::collections::BTreeMap;

use crate::{
    Window,
    detectors::kit::{Tally, harm, unclaimed},
    evidence::{GroCount, GroKind, GroReceive, Link, LinkId, Namespace, OnDemand, PacketSample},
    finding::{Assessment, Confidence, Culprit, Outcome},
    kernel::Reason,
    packets::ip::{IpPacket, SEGMENT_ROUTING, TCP},
};

/// Packets from which the share that was joined means something: some tens of bursts.
const LEAST_PACKETS: u64 = 500;
/// The same for the traffic beside it.
const LEAST_BESIDE: u64 = 100;
/// Of so many packets offload that works joins one at the very least, or keeps it to be joined.
const WORKS: u64 = 10;
/// Of so many packets, offload that does not work joins at most one.
const FAILS: u64 = 100;

/// Packets of one or several kinds on an interface.
#[derive(Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) offered: u64,
    /// Joined, or kept to be joined.
    pub(super) joined: u64,
}

/// An interface with inline packets that are not joined.
pub(super) struct Unmerged<'a> {
    pub(super) link: &'a Link,
    pub(super) namespace: &'a Namespace,
    pub(super) inline: Share,
    /// Traffic that is joined there, when there is enough of it to tell.
    pub(super) beside: Option<Share>,
    /// The packets that were not joined.
    pub(super) tally: Tally,
    pub(super) confidence: Confidence,
}

/// The interfaces with inline packets that are not joined beside others that are.
pub(super) fn unmerged<'a>(window: &'a Window<'_>) -> Vec<Unmerged<'a>> {
    let OnDemand::Ran {
        from_ms,
        until_ms,
        value,
        ..
    } = &window.gro
    else {
        return Vec::new();
    };
    let inline = value.counts.iter();
    inline
        .filter(|count| count.kind == GroKind::SegmentRoutingInline)
        .filter_map(|count| judge(window, value, count, (*from_ms, *until_ms)))
        .collect()
}

fn judge<'a>(
    window: &'a Window<'_>,
    gro: &GroReceive,
    count: &GroCount,
    times: (u64, u64),
) -> Option<Unmerged<'a>> {
    let link = window.topology.link(count.netns, count.ifindex)?;
    let inline = Share::default().with(count);
    if inline.offered < LEAST_PACKETS || !inline.at_most_one_in(FAILS) {
        return None;
    }
    let of_link = |other: &&GroCount| {
        (other.netns, other.ifindex) == (count.netns, count.ifindex) && other.kind != count.kind
    };
    let others = gro.counts.iter().filter(of_link);
    let beside = others.fold(Share::default(), Share::with);
    let beside = (beside.offered >= LEAST_BESIDE).then_some(beside);
    let is_on = match (link.receive_offload, beside) {
        (Some(false), _) => false,
        // Offload joins nothing here, whatever it is.
        (_, Some(beside)) => !beside.at_most_one_in(WORKS),
        (is_on, None) => is_on == Some(true),
    };
    is_on.then_some(Unmerged {
        link,
        namespace: window.namespace(count.netns)?,
        inline,
        beside,
        tally: Tally::of_counter(inline.offered.saturating_sub(inline.joined), times),
        confidence: match beside {
            Some(_) => Confidence::Certain,
            None => Confidence::Likely,
        },
    })
}

impl Share {
    fn with(self, count: &GroCount) -> Self {
        Self {
            offered: self.offered.saturating_add(count.offered),
            joined: self
                .joined
                .saturating_add(count.merged)
                .saturating_add(count.held),
        }
    }

    fn at_most_one_in(self, many: u64) -> bool {
        u128::from(self.joined) * u128::from(many) <= u128::from(self.offered)
    }

    pub(super) fn per_cent(self) -> u128 {
        u128::from(self.joined) * 100 / u128::from(self.offered.max(1))
    }
}

/// Super-frames that a device refused: `qdisc_pkt_len_segs_init` in `__dev_queue_xmit` found no valid length in what
/// should be their TCP header ("net: pull headers in qdisc_pkt_len_segs_init()", 7.0.10 and stable releases of 2026).
pub(super) struct BadSuperFrames<'a> {
    pub(super) link: &'a Link,
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
}

/// The devices that dropped such frames, in the order of their namespaces and indices.
pub(super) fn bad_super_frames<'a>(
    window: &'a Window<'_>,
    so_far: &Outcome,
) -> impl Iterator<Item = BadSuperFrames<'a>> {
    let mut devices: BTreeMap<LinkId, BadSuperFrames<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let place = key
            .netns
            .filter(|_| key.reason == Reason::SKB_BAD_GSO && are_inline(window, index))
            .and_then(|netns| {
                Some((
                    window.topology.link(netns, key.ifindex)?,
                    window.namespace(netns)?,
                ))
            });
        let Some((link, namespace)) = place else {
            continue;
        };
        let device = devices.entry((link.netns, link.ifindex));
        let frames = device.or_insert_with(|| BadSuperFrames {
            link,
            namespace,
            tally: Tally::default(),
        });
        frames.tally.add(index, key);
    }
    devices.into_values()
}

/// TCP may go on with small packets: then the super-frames are a share of what the device sent.
pub(super) fn super_frame_assessment(
    window: &Window<'_>,
    found: &BadSuperFrames<'_>,
) -> Assessment {
    harm::loss(
        window,
        &found.tally,
        Culprit::Here,
        Some(harm::sent(found.link)),
    )
}

/// Every sampled packet of this key is TCP behind an inline segment routing header. What was not sampled may be
/// anybody's malformed frame.
fn are_inline(window: &Window<'_>, key: usize) -> bool {
    let mut samples = window.samples_of(key).peekable();
    samples.peek().is_some() && samples.all(is_inline)
}

fn is_inline(sample: &PacketSample) -> bool {
    IpPacket::of_sample(sample).is_some_and(|packet| {
        packet.routing_type == Some(SEGMENT_ROUTING) && packet.protocol == TCP
    })
}
