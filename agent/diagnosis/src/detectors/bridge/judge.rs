//! Which port of a bridge did not let frames in or out, and why.

use std::collections::BTreeMap;

use crate::{
    Window,
    detectors::kit::{Tally, harm, unclaimed},
    evidence::{BridgePort, DropCount, Link, LinkId, LinkKind, Namespace, PacketSample},
    finding::{Assessment, Confidence, Culprit, Decision, Harm, Outcome},
    kernel::{Reason, site},
    packets::frame::{Frame, Mac},
};

/// BR_STATE_* of `<linux/if_bridge.h>`.
const FORWARDING: u8 = 3;
const BLOCKING: u8 = 4;

/// The reason why frames did not get through a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A port that does not forward: the one that they came by, or this one that they were to go out by.
    NotForwarding(Option<LinkId>),
    /// They were to go back to where they came from.
    HairpinOff,
    /// Both ports are isolated; the one to go out by, where it is known.
    Isolated(Option<LinkId>),
    /// The port lets only known sources in.
    Locked,
}

/// Frames that came in on one port and ended for one reason.
pub(super) struct Fault<'a> {
    pub(super) kind: Kind,
    pub(super) bridge: &'a Link,
    /// The port that they came by.
    pub(super) ingress: &'a Link,
    /// The port that they were to go out by, where it is known.
    pub(super) egress: Option<&'a Link>,
    pub(super) namespace: &'a Namespace,
    /// The ways on from the bridge, see [`ways_on`]. With two, frames could circle.
    pub(super) ways_on: usize,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl<'a> Fault<'a> {
    /// The port that the finding is about.
    pub(super) fn subject(&self) -> &'a Link {
        match self.kind {
            Kind::NotForwarding(Some(_)) => self.egress.unwrap_or(self.ingress),
            _ => self.ingress,
        }
    }
}

/// The faults of every bridge port. Frames of groups are left alone: the bridge has read what controls it, and what is
/// flooded goes to other ports as well.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut found: BTreeMap<(LinkId, Kind), (Tally, Confidence)> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let port = key
            .netns
            .and_then(|netns| window.topology.link(netns, key.ifindex));
        let Some(port) = port.filter(|port| port.slave_kind == Some(LinkKind::Bridge)) else {
            continue;
        };
        let samples: Vec<&PacketSample> = window.samples_of(index).collect();
        let single: Vec<Frame<'_>> = samples.iter().filter_map(unicast).collect();
        if single.is_empty() {
            continue;
        }
        if let Some((kind, confidence)) = why(window, port, key, &single) {
            // The packets of groups that were sampled are none of the fault's.
            let others = u64::try_from(samples.len() - single.len()).unwrap_or(u64::MAX);
            let rest = DropCount {
                count: key.count.saturating_sub(others).max(1),
                ..key.clone()
            };
            let entry = found
                .entry((port.id(), kind))
                .or_insert((Tally::default(), confidence));
            entry.0.add(index, &rest);
            entry.1 = entry.1.min(confidence);
        }
    }
    found
        .into_iter()
        .filter_map(|((port, kind), (tally, confidence))| {
            let ingress = window.topology.link(port.0, port.1)?;
            let egress = match kind {
                Kind::NotForwarding(egress) | Kind::Isolated(egress) => egress,
                Kind::HairpinOff | Kind::Locked => None,
            };
            let bridge = window.topology.master(ingress)?;
            Some(Fault {
                kind,
                bridge,
                ways_on: ways_on(window, bridge),
                ingress,
                egress: egress.and_then(|id| window.topology.link(id.0, id.1)),
                namespace: window.namespace(ingress.netns)?,
                assessment: assessment(window, kind, ingress, &tally),
                tally,
                confidence,
            })
        })
        .collect()
}

/// The ports and upper devices by which a frame can get to another bridge or switch, except those that lead to one
/// host. That is a veth whose other end is known and no port itself, or a guest's device. Without two ways on no
/// frame comes back to the bridge.
fn ways_on(window: &Window<'_>, bridge: &Link) -> usize {
    let ports = window.topology.ports(bridge);
    let onward = ports.filter(|port| !leads_to_one_host(window, port));
    let upper = window.topology.on_top(bridge);
    let enslaved = upper.filter(|upper| upper.master_id().is_some());
    onward.count() + enslaved.count()
}

fn leads_to_one_host(window: &Window<'_>, port: &Link) -> bool {
    let is_end = |end: &Link| end.master_id().is_none();
    match port.kind {
        Some(LinkKind::Tun | LinkKind::MacVtap | LinkKind::IpVtap) => true,
        _ => window.topology.veth_peer(port).is_some_and(is_end),
    }
}

/// The frame of a sample that is for one receiver.
fn unicast<'a>(sample: &&'a PacketSample) -> Option<Frame<'a>> {
    let frame = sample
        .has_link_header
        .then(|| Frame::decode(&sample.bytes))
        .flatten();
    frame.filter(|frame| !frame.destination.is_multicast())
}

/// Why the frames of a key did not get through; `None` where nothing that was read says so.
fn why(
    window: &Window<'_>,
    port: &Link,
    key: &DropCount,
    frames: &[Frame<'_>],
) -> Option<(Kind, Confidence)> {
    let settings = port.bridge_port?;
    let is_refused_at_once = key.reason == Reason::BRIDGE_INGRESS_STP_STATE
        || (key.reason.is_unnamed() && key.location.is_of(&site::BR_HANDLE_FRAME));
    if is_refused_at_once {
        // A redundant way of a spanning tree blocks for good, and gets what the other one gets.
        let is_redundant = settings.state == BLOCKING && settings.state_before == Some(BLOCKING);
        return (!is_redundant).then_some((Kind::NotForwarding(None), Confidence::Certain));
    }
    let is_decided = key.reason.is_unnamed() || key.reason == Reason::NO_TX_TARGET;
    if !is_decided
        || !key
            .location
            .is_of_any(&[&site::BR_HANDLE_FRAME_FINISH, &site::BR_FORWARD])
    {
        return None;
    }
    // br_handle_frame_finish asks in this order.
    if settings.state != FORWARDING {
        return Some((Kind::NotForwarding(None), Confidence::Certain));
    }
    let isolated = settings.isolated == Some(true);
    if settings.locked == Some(true) {
        let confidence = match isolated {
            true => Confidence::Likely,
            false => Confidence::Certain,
        };
        return Some((Kind::Locked, confidence));
    }
    let bridge = window.topology.master(port)?;
    let ports = || window.topology.ports(bridge);
    let of = |link: &Link| link.bridge_port.unwrap_or_default();
    let egress = frames
        .iter()
        .find_map(|frame| ports().find(|port| leads_to(window, port, frame.destination)));
    match egress {
        Some(egress) if egress.id() == port.id() => {
            (settings.hairpin == Some(false)).then_some((Kind::HairpinOff, Confidence::Certain))
        }
        Some(egress) if of(egress).state != FORWARDING => {
            Some((Kind::NotForwarding(Some(egress.id())), Confidence::Certain))
        }
        Some(egress) if isolated && of(egress).isolated == Some(true) => {
            Some((Kind::Isolated(Some(egress.id())), Confidence::Certain))
        }
        None if isolated => {
            let mut others = ports().filter(|other| other.id() != port.id());
            let is_isolated = |other: &Link| of(other).isolated == Some(true);
            let all = others.clone().all(is_isolated);
            let some = others.any(is_isolated);
            match (all, some) {
                (true, true) => Some((Kind::Isolated(None), Confidence::Certain)),
                (false, true) => Some((Kind::Isolated(None), Confidence::Likely)),
                _ => None,
            }
        }
        // A port that forwards by now learned before: nothing else of this place holds for it.
        _ if settings.state_before != Some(FORWARDING) && is_young(bridge, &settings) => {
            Some((Kind::NotForwarding(None), Confidence::Likely))
        }
        _ => None,
    }
}

/// The port came to forward within the window, after it had listened and learned.
fn is_young(bridge: &Link, port: &BridgePort) -> bool {
    let runs_stp = bridge.bridge.is_some_and(|bridge| bridge.stp);
    runs_stp && port.isolated.is_some()
}

/// The address is that of the device behind a port: the other end of its veth.
fn leads_to(window: &Window<'_>, port: &Link, address: Mac) -> bool {
    let peer = window.topology.veth_peer(port);
    let own = peer.and_then(|peer| peer.address.as_deref());
    own.and_then(Mac::parse) == Some(address)
}

fn assessment(window: &Window<'_>, kind: Kind, ingress: &Link, tally: &Tally) -> Assessment {
    let outage = || {
        harm::outage(window, tally, Culprit::Here).unwrap_or_else(|| {
            Assessment::of(Harm::Outage)
                .by(Culprit::Here)
                .with_packets(tally.count)
                .with_flows(harm::flows(window, tally))
        })
    };
    match kind {
        Kind::NotForwarding(egress) => {
            let port = egress.and_then(|id| window.topology.link(id.0, id.1));
            let state = port.unwrap_or(ingress).bridge_port.map(|port| port.state);
            if state == Some(FORWARDING) {
                let carried = harm::received_beside(ingress, tally.count);
                return harm::loss(window, tally, Culprit::Here, Some(carried));
            }
            outage()
        }
        Kind::HairpinOff => outage(),
        Kind::Isolated(_) | Kind::Locked => {
            Assessment::decided(Decision::Setting, Harm::Outage, tally.count)
                .with_flows(harm::flows(window, tally))
        }
    }
}
