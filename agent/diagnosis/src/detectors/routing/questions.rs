//! The questions about routes that dropped packets raise.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    evidence::{DropCount, EvidenceWindow, LinkKind, PacketSample, RouteQuestion},
    kernel::{Reason, site},
    packets::ip::IpPacket,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// The look-ups that a window's drops raise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteQuestions {
    /// Each question once, of the node's own namespace.
    pub of_node: BTreeSet<RouteQuestion>,
    /// The number of other namespaces in which packets found no way on: no look-up reaches them.
    pub elsewhere: usize,
}

/// The questions that the sampled packets raise.
pub fn route_questions(window: &EvidenceWindow) -> RouteQuestions {
    let mut questions = RouteQuestions::default();
    let (Some(node), Some(drops)) = (window.node_namespace(), window.drops.value()) else {
        return questions;
    };
    let mut elsewhere = BTreeSet::new();
    for sample in &drops.samples {
        let Some(key) = drops.counts.get(sample.key) else {
            continue;
        };
        match place(window, key).and_then(|place| question(key, place, sample)) {
            Some(question) => {
                questions.of_node.insert(question);
            }
            None if key.netns != Some(node.id) && question(key, 0, sample).is_some() => {
                elsewhere.extend(key.netns);
            }
            None => {}
        }
    }
    questions.elsewhere = elsewhere.len();
    questions
}

/// Index of the device of the node by which these packets came; of those that ran out of hops in a pod, the one by which
/// they would come back. `None` where no look-up of the node tells of them.
pub(super) fn place(window: &EvidenceWindow, key: &DropCount) -> Option<u32> {
    let node = window.node_namespace()?.id;
    if key.netns == Some(node) {
        return Some(key.ifindex);
    }
    if !ran_out_of_hops(key) {
        return None;
    }
    let mut links = window.links().iter();
    let link = links.find(|link| Some(link.netns) == key.netns && link.ifindex == key.ifindex)?;
    let peer = link.peer.as_ref().filter(|peer| peer.netns == Some(node))?;
    let mut links = window.links().iter();
    let end = links.find(|link| link.netns == node && link.ifindex == peer.ifindex)?;
    let is_port = end.slave_kind == Some(LinkKind::Bridge);
    Some(end.master.filter(|_| is_port).unwrap_or(end.ifindex))
}

/// The question that one dropped packet raises, which came by this device of the node; `None` for what no route is looked
/// up for.
pub(super) fn question(
    key: &DropCount,
    ingress: u32,
    sample: &PacketSample,
) -> Option<RouteQuestion> {
    if !found_no_way(key) && !ran_out_of_hops(key) {
        return None;
    }
    let packet = IpPacket::of_sample(sample)?;
    let is_routed = is_unicast(packet.destination) && is_unicast(packet.source);
    is_routed.then_some(RouteQuestion {
        destination: packet.destination,
        source: packet.source,
        ingress,
    })
}

fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified()
        }
        IpAddr::V6(address) => {
            !address.is_multicast() && !address.is_unspecified() && !address.is_unicast_link_local()
        }
    }
}

/// A packet that came by a device ended because no route leads on, or one that refuses.
pub(super) fn found_no_way(key: &DropCount) -> bool {
    let is_told = key.reason == Reason::IP_INNOROUTES || key.reason.is_unnamed();
    let is_there = match key.ethertype {
        ETH_P_IP => key.location.is_of(&site::IP_ERROR),
        ETH_P_IPV6 => {
            key.location.is_of(&site::IP6_PKT_DROP)
                || key.location.is_of(&site::DST_DISCARD) && key.reason.is_unnamed()
        }
        _ => false,
    };
    key.ifindex != 0 && is_told && is_there
}

/// A packet that was to be passed on had no hops left, as far as its place and reason tell.
pub(super) fn ran_out_of_hops(key: &DropCount) -> bool {
    let is_told = key.reason == Reason::IP_INHDR || key.reason.is_absent();
    let is_there = match key.ethertype {
        ETH_P_IP => key.location.is_of(&site::IP_FORWARD),
        ETH_P_IPV6 => key.location.is_of(&site::IP6_FORWARD),
        _ => false,
    };
    key.ifindex != 0 && is_told && is_there
}
