//! Frames that found no receiver, by device and protocol, and whether somebody misses them.

use std::collections::BTreeMap;

use super::{frames::Frames, opened_by, waiting::Waiting};
use crate::{
    Window,
    detectors::{
        kit::{Tally, harm, unclaimed},
        promiscuity::Openers,
    },
    evidence::{DropCount, Drops, Link, LinkKind, LinkStats, Namespace, NetnsId},
    finding::{Assessment, Claim, Confidence, FindingId, Harm, Outcome, Verdict},
    kernel::{Reason, site},
    packets::protocols,
    uapi::ethertype::ETH_P_802_2,
};

/// Unreceived frames of one protocol on one device; on a port that waits for its turn, of all protocols.
pub(super) struct Unreceived<'a> {
    pub(super) netns: NetnsId,
    pub(super) ifindex: u32,
    pub(super) link: Option<&'a Link>,
    /// The device is an inactive port of this bond or team.
    pub(super) inactive_slave_of: Option<&'a Link>,
    pub(super) keys: Vec<&'a DropCount>,
    pub(super) tally: Tally,
    pub(super) frames: Frames<'a>,
    /// The findings by which the frames came in.
    pub(super) caused_by: Vec<FindingId>,
}

/// A counter of the device that rose with these drops.
pub(super) struct Counter<'a> {
    pub(super) name: &'static str,
    pub(super) increase: u64,
    /// The slaves of a bond or team, and what they counted of it.
    pub(super) inherited: Option<(Vec<&'a Link>, u64)>,
}

/// Namespace, device and protocol: the number and the name of one of those that share it; `None` for all of them.
type GroupKey = (NetnsId, u32, Option<(u16, String)>);

pub(super) fn unreceived<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Unreceived<'a>> {
    let mut groups: BTreeMap<GroupKey, Unreceived<'a>> = BTreeMap::new();
    let Some(drops) = window.drops.value() else {
        return Vec::new();
    };
    let mut waiting = Waiting::default();
    let mut found = Vec::new();
    for (index, key) in unclaimed(window, so_far) {
        let Some(netns) = key.netns.filter(|_| is_unreceived(drops, key)) else {
            continue;
        };
        let link = window.topology.link(netns, key.ifindex);
        let frames = Frames::of(window, drops, index, link);
        if let Some(link) = link.filter(|_| !is_behind_llc(key)) {
            waiting.add(link, &frames, key.count);
        }
        found.push((index, key, netns, link, frames));
    }
    for (index, key, netns, link, frames) in found {
        let inactive_slave_of = link.and_then(|link| waiting.master(window, link, &frames));
        // Several protocols may share a number: LACP and OAM, everything with an 802.2 header.
        let protocol = inactive_slave_of
            .is_none()
            .then(|| (key.ethertype, frames.name()));
        let group = groups
            .entry((netns, key.ifindex, protocol))
            .or_insert_with(|| Unreceived {
                netns,
                ifindex: key.ifindex,
                link,
                inactive_slave_of,
                keys: Vec::new(),
                tally: Tally::default(),
                frames: Frames::default(),
                caused_by: Vec::new(),
            });
        group.keys.push(key);
        group.tally.add(index, key);
        group.frames.extend(frames);
    }
    let openers = Openers::of(window, so_far);
    let mut groups: Vec<Unreceived<'a>> = groups.into_values().collect();
    for group in &mut groups {
        if let Some(link) = group.link {
            group.caused_by = opened_by::findings(window, &openers, link, &group.frames);
        }
    }
    groups
}

/// This drop says that a frame found no receiver.
fn is_unreceived(drops: &Drops, key: &DropCount) -> bool {
    // Kernels before 6.1 have no reason for it; the function tells.
    let unnamed = key.reason.is_unnamed();
    let at_core = key.location.is_of(&site::NETIF_RECEIVE_SKB_CORE);
    // 802.2 frames are taken by the LLC code where it is loaded, which then finds no receiver.
    let at_llc = is_behind_llc(key) && key.ethertype == ETH_P_802_2;
    // ip6_rcv_core says so of a packet whose version is not 6, which it did receive.
    let is_named =
        key.reason == Reason::UNHANDLED_PROTO && !key.location.is_of(&site::IP6_RCV_CORE);
    is_named || (unnamed && (at_llc || (at_core && drops.has_locations)))
}

/// Dropped by the LLC or SNAP code: received, as far as the device's counters go.
fn is_behind_llc(key: &DropCount) -> bool {
    key.location.is_of_any(site::LLC)
}

impl<'a> Unreceived<'a> {
    /// Names of those who announce themselves in the frames.
    pub(super) fn neighbours(&self) -> Vec<String> {
        let senders = self.frames.senders.iter();
        senders.map(|sender| sender.name.clone()).collect()
    }

    /// The verdict on every drop: somebody on this node misses the frames, or nobody.
    pub(super) fn verdict(&self) -> Verdict {
        let frames = &self.frames;
        if self.inactive_slave_of.is_some() || frames.is_harmless_by_protocol() {
            return Verdict::Benign;
        }
        match (frames.for_us, frames.seen) {
            // Without a sample only a protocol that is never sent to one receiver is known to be harmless.
            (_, 0) if self.are_group_only() => Verdict::Benign,
            (_, 0) => Verdict::Unknown,
            (0, _) => Verdict::Benign,
            (for_us, seen) if for_us == seen => Verdict::Harmful,
            _ => Verdict::Unknown,
        }
    }

    fn are_group_only(&self) -> bool {
        let mut keys = self.keys.iter();
        keys.all(|key| protocols::is_group_only(key.ethertype))
    }

    /// Some of the frames were sent to this node itself, by somebody who wants an answer.
    pub(super) fn is_for_us(&self) -> bool {
        self.verdict() != Verdict::Benign && self.frames.for_us > 0
    }

    /// No frame was sampled, so nothing tells for whom they were.
    pub(super) fn is_unseen(&self) -> bool {
        self.verdict() == Verdict::Unknown && self.frames.seen == 0
    }

    /// Nobody misses them, except those that were sent to this node: these are lost, as far as they were sampled.
    pub(super) fn assessment(&self) -> Assessment {
        if self.is_unseen() {
            return Assessment::of(Harm::Unknown).with_packets(self.tally.count);
        }
        if !self.is_for_us() {
            return Assessment::none();
        }
        let all_seen = self.frames.for_us == self.frames.seen;
        let sampled = u64::try_from(self.frames.for_us).unwrap_or(u64::MAX);
        let lost = if all_seen { self.tally.count } else { sampled };
        let received = self.link.map(|link| harm::received_beside(link, lost));
        Assessment::loss(lost, received)
    }

    pub(super) fn confidence(&self) -> Confidence {
        let is_named = |key: &&DropCount| key.reason == Reason::UNHANDLED_PROTO;
        // For whom a frame was is known only of the sampled ones.
        let seen = u64::try_from(self.frames.seen);
        let is_sampled = seen.is_ok_and(|seen| seen >= self.tally.count);
        if self.keys.iter().any(is_named) && (!self.is_for_us() || is_sampled) {
            Confidence::Certain
        } else {
            Confidence::Likely
        }
    }

    /// The inner end of a virtual link: a pod's eth0.
    pub(super) fn is_of_guest(&self, window: &Window<'_>) -> bool {
        let is_elsewhere = |namespace: &Namespace| !namespace.is_node;
        window.namespace(self.netns).is_some_and(is_elsewhere)
            && self.link.is_some_and(|link| {
                link.master.is_none()
                    && matches!(link.kind, Some(LinkKind::Veth | LinkKind::NetKit))
            })
    }

    /// The device's counters rise with these drops.
    pub(super) fn is_counted(&self) -> bool {
        self.keys.iter().any(|key| !is_behind_llc(key))
    }

    /// The claims on its drops for this finding.
    pub(super) fn claims(&self, finding: &FindingId) -> impl Iterator<Item = Claim> {
        let verdict = self.verdict();
        let keys = self.tally.keys.iter().zip(&self.keys);
        keys.map(move |(index, key)| Claim {
            drop: *index,
            verdict,
            protocol: Some(self.frames.name_of(key.ethertype)),
            finding: Some(finding.clone()),
        })
    }

    /// The counter that rose, and of a bond the part that its slaves counted.
    pub(super) fn counter(&self, window: &'a Window<'_>) -> Option<Counter<'a>> {
        let link = self.link.filter(|_| self.is_counted())?;
        let (name, counter): (_, fn(&LinkStats) -> u64) = match self.inactive_slave_of {
            Some(_) => ("rx_nohandler", |stats| stats.rx_nohandler),
            None => ("rx_dropped", |stats| stats.rx_dropped),
        };
        let is_bond = matches!(link.kind, Some(LinkKind::Bond | LinkKind::Team));
        let slaves: Vec<&Link> = window.topology.ports(link).filter(|_| is_bond).collect();
        let counted = slaves.iter().map(|slave| slave.increase(counter));
        let inherited = counted.fold(0, u64::saturating_add);
        Some(Counter {
            name,
            increase: link.increase(counter),
            inherited: (!slaves.is_empty()).then_some((slaves, inherited)),
        })
    }

    /// The devices at which a listener would have taken the frames.
    pub(super) fn listening_devices(&self, window: &'a Window<'_>) -> Vec<&'a str> {
        self.link.map_or_else(Vec::new, |link| {
            window
                .topology
                .stack_below(link)
                .into_iter()
                .filter(|device| device.netns == link.netns)
                .map(|device| device.name.as_str())
                .collect()
        })
    }

    /// The number of registered receivers that would have taken the frames; `None` when they could not be read.
    pub(super) fn handlers(&self, window: &Window<'_>) -> Option<usize> {
        let namespace = window.namespace(self.netns)?;
        let handlers = namespace.protocol_handlers.as_ref()?;
        let devices = self.listening_devices(window);
        let takes = handlers.iter().filter(|handler| {
            let of_protocol = handler.ethertype.is_none_or(|number| {
                // The 802.2 code is registered for all of its protocols and found no receiver behind it.
                let mut keys = self.keys.iter();
                keys.any(|key| key.ethertype == number && !is_behind_llc(key))
            });
            let on_device = handler
                .device
                .as_deref()
                .is_none_or(|name| devices.contains(&name));
            of_protocol && on_device
        });
        Some(takes.count())
    }
}
