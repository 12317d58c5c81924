//! Packets that IP's forwarding refused for their length, by the way that they were to take.
//!
//! `ip_forward` compares with the MTU of the route, else of its device (`ip_dst_mtu_maybe_forward`), and leaves
//! `skb->dev` at the device that the packet came by. `ip6_forward` asks the route only where its MTU is locked
//! (`ip6_dst_mtu_maybe_forward`), and sets `skb->dev` to the device of the way on.

use std::collections::BTreeMap;

use super::{
    answers::{self, Answer, Answers},
    fate::{self, Fate},
    sender::Sender,
};
use crate::{
    Window,
    detectors::kit::{Tally, unclaimed},
    evidence::{DropCount, Link, LinkId, Namespace, NetnsId, PacketSample},
    finding::{Confidence, Outcome},
    kernel::{Reason, site},
    packets::{flow::Flow, ip::IpPacket},
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// The way onward that packets were too long for.
#[derive(Clone, Copy, Default)]
pub(super) struct Way<'a> {
    pub(super) device: Option<&'a Link>,
    /// The longest packet that it takes, bytes.
    pub(super) mtu: Option<u32>,
    /// The MTU is the route's own.
    pub(super) is_of_route: bool,
}

impl Way<'_> {
    /// It takes what its device takes.
    pub(super) fn is_as_its_device(&self) -> bool {
        self.mtu.is_some() && self.mtu == self.device.map(|device| device.mtu)
    }
}

/// Packets that were too long for one way.
pub(super) struct TooLong<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) is_ipv6: bool,
    pub(super) way: Way<'a>,
    /// Shortest and longest sampled, bytes with the IP header.
    pub(super) sizes: Option<(u32, u32)>,
    pub(super) tally: Tally,
    /// Addresses of senders and receivers of the first one that was seen.
    pub(super) first: Option<IpEnds>,
    /// The device that they came by, where a sample tells.
    pub(super) ingress: Option<&'a Link>,
    /// The senders that are here.
    pub(super) senders: Vec<Sender<'a>>,
    pub(super) answers: Answers,
    pub(super) fate: Fate,
    pub(super) confidence: Confidence,
}

/// Sender and receiver of a packet.
pub(super) type IpEnds = (std::net::IpAddr, std::net::IpAddr);

/// The packets of one way, before they are judged.
#[derive(Default)]
struct Group<'a> {
    way: Way<'a>,
    tally: Tally,
    samples: Vec<&'a PacketSample>,
    has_others: bool,
    /// They were to take several ways, of which none is told.
    has_ways: bool,
}

type GroupId = (NetnsId, u16, Option<LinkId>, Option<u32>);

/// The packets of every namespace and way.
pub(super) fn too_long<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<TooLong<'a>> {
    let mut groups: BTreeMap<GroupId, Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let Some(netns) = key.netns.filter(|_| is_forwarding(key)) else {
            continue;
        };
        if let Some(group) = of_key(window, netns, index, key) {
            let id = group.way.device.map(Link::id);
            let all = groups.entry((netns, key.ethertype, id, group.way.mtu));
            all.or_default().merge(group);
        }
    }
    let answers = match groups.is_empty() {
        true => Vec::new(),
        false => answers::all(window),
    };
    let judged = groups
        .into_iter()
        .filter_map(|((netns, ethertype, ..), group)| {
            let namespace = window.namespace(netns)?;
            Some(group.judged(window, namespace, ethertype == ETH_P_IPV6, &answers, so_far))
        });
    judged.collect()
}

/// The key is of a place that compares lengths, or of a reason that nothing else has where places have no names.
fn is_forwarding(key: &DropCount) -> bool {
    let is_named = key.reason == Reason::PKT_TOO_BIG;
    let site = match key.ethertype {
        ETH_P_IP => &site::IP_FORWARD,
        ETH_P_IPV6 => &site::IP6_FORWARD,
        _ => return false,
    };
    match key.location.is_hidden() {
        true => is_named,
        false => key.location.is_of(site) && (is_named || key.reason.is_unnamed()),
    }
}

/// The packets of a key; `None` where nothing shows that they were too long.
fn of_key<'a>(
    window: &'a Window<'_>,
    netns: NetnsId,
    index: usize,
    key: &DropCount,
) -> Option<Group<'a>> {
    let is_named = key.reason == Reason::PKT_TOO_BIG;
    let all: Vec<&PacketSample> = window.samples_of(index).collect();
    let ways = |sample: &PacketSample| way(window, netns, key, sample);
    let (too_long, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|sample| is_named || is_too_long(sample, ways(sample).mtu));
    if too_long.is_empty() && !is_named || others.len() > too_long.len() {
        return None;
    }
    let routed = too_long.iter().filter(|sample| sample.route.is_some());
    let seen = routed.map(|sample| ways(sample));
    let seen = seen.map(|way| ((way.device.map(Link::id), way.mtu), way));
    let seen: BTreeMap<(Option<LinkId>, Option<u32>), Way<'_>> = seen.collect();
    let has_ways = seen.len() > 1;
    let way = match seen.into_values().next() {
        // Which of them the packets took that nobody saw is not known.
        Some(_) if has_ways => Way::default(),
        Some(way) => way,
        None => way_without_sample(window, netns, key),
    };
    // Packets that fitted died of something else there.
    let rest = u64::try_from(others.len()).unwrap_or(u64::MAX);
    let mut tally = Tally::default();
    tally.add(index, key);
    let count = tally.count.saturating_sub(rest).max(1);
    Some(Group {
        way,
        tally: tally.with_count(count),
        samples: too_long,
        has_others: !others.is_empty(),
        has_ways,
    })
}

/// The packet cannot have been cut, still had hops to go, and is longer than this.
fn is_too_long(sample: &PacketSample, mtu: Option<u32>) -> bool {
    let packet = IpPacket::of_sample(sample);
    let could_go_on = packet.is_some_and(|packet| packet.must_stay_whole && packet.hop_limit > 1);
    could_go_on && mtu.is_some_and(|mtu| length(sample) > mtu)
}

/// Length of the packet with its IP header, bytes.
fn length(sample: &PacketSample) -> u32 {
    let before = sample.network_offset.unwrap_or_default();
    sample.length.saturating_sub(u32::from(before))
}

fn way<'a>(
    window: &'a Window<'_>,
    netns: NetnsId,
    key: &DropCount,
    sample: &PacketSample,
) -> Way<'a> {
    let found = sample.route.and_then(|route| {
        let device = window.topology.link(netns, route.ifindex)?;
        let is_asked = key.ethertype == ETH_P_IP || route.is_mtu_locked;
        let is_of_route = route.mtu > 0 && is_asked;
        let mtu = if is_of_route { route.mtu } else { device.mtu };
        Some(Way {
            device: Some(device),
            // What fits was too long for something else: the headers that the route puts before it.
            mtu: (length(sample) > mtu).then_some(mtu),
            is_of_route,
        })
    });
    found.unwrap_or_else(|| way_without_sample(window, netns, key))
}

/// The way as far as the key tells it.
fn way_without_sample<'a>(window: &'a Window<'_>, netns: NetnsId, key: &DropCount) -> Way<'a> {
    let is_told = key.ethertype == ETH_P_IPV6 && key.reason == Reason::PKT_TOO_BIG;
    let device = window.topology.link(netns, key.ifindex);
    let device = device.filter(|_| is_told);
    Way {
        device,
        mtu: device.map(|device| device.mtu),
        is_of_route: false,
    }
}

impl<'a> Group<'a> {
    fn merge(&mut self, other: Self) {
        self.way = other.way;
        self.tally.merge(&other.tally);
        self.samples.extend(other.samples);
        self.has_others |= other.has_others;
        self.has_ways |= other.has_ways;
    }

    fn judged(
        self,
        window: &'a Window<'_>,
        namespace: &'a Namespace,
        is_ipv6: bool,
        answers: &[Answer],
        so_far: &Outcome,
    ) -> TooLong<'a> {
        let mut flows: Vec<Flow> = Vec::new();
        for flow in self.samples.iter().filter_map(|one| Flow::of_sample(one)) {
            if !flows.contains(&flow) {
                flows.push(flow);
            }
        }
        let answers = Answers::about(answers, &flows, so_far);
        let senders = senders(window, namespace, &flows);
        let is_here = |flow: &Flow| Sender::of(window, namespace.id, flow.sender()).is_some();
        let told = senders.iter().map(|sender| sender.told).sum::<u64>();
        let are_told = flows.iter().all(is_here) && told >= self.tally.count;
        let fate = fate::of(window, &self.tally, &self.samples, &answers, are_told);
        let lengths = self.samples.iter().map(|sample| length(sample));
        let way = Way {
            // An answer may be another router's, about another destination.
            mtu: self.way.mtu.or(answers.mtu.filter(|_| !self.has_ways)),
            ..self.way
        };
        let is_seen = way.device.is_some() && way.mtu.is_some() && !self.has_others;
        let confidence = match is_seen {
            true => fate.confidence,
            false => Confidence::Likely,
        };
        let mut ingress = self.samples.iter().map(|sample| sample.skb_iif);
        TooLong {
            namespace,
            is_ipv6,
            way,
            sizes: lengths.clone().min().zip(lengths.max()),
            first: self.samples.first().and_then(|sample| {
                let packet = IpPacket::of_sample(sample)?;
                Some((packet.source, packet.destination))
            }),
            ingress: ingress.find_map(|ifindex| window.topology.link(namespace.id, ifindex)),
            tally: self.tally,
            senders,
            answers,
            fate,
            confidence,
        }
    }
}

fn senders<'a>(window: &'a Window<'_>, namespace: &Namespace, flows: &[Flow]) -> Vec<Sender<'a>> {
    let mut senders: Vec<Sender<'a>> = Vec::new();
    let found = flows
        .iter()
        .filter_map(|flow| Sender::of(window, namespace.id, flow.sender()));
    for sender in found {
        if senders.iter().all(|one| one.link.id() != sender.link.id()) {
            senders.push(sender);
        }
    }
    senders
}
