//! The mechanisms by which the routing of a namespace ended packets, with the state that proves each.

use std::net::IpAddr;

use crate::{
    causes::{BLACKHOLE_ROUTE, Cause, FORWARDING_OFF, NO_ROUTE, REVERSE_PATH_FILTER, TTL_EXCEEDED},
    detectors::kit::Tally,
    evidence::{Link, Namespace, RouteEntry, RouteLookup, RoutingRule},
    finding::{Assessment, Confidence},
};

/// A version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V4,
    V6,
}

/// A mechanism, with the state that proves it.
pub(super) enum Kind<'a> {
    /// Packets that come in on these devices for another host do not go on.
    ForwardingOff(Forwarding<'a>),
    /// No route leads back to the source by the device that packets came by.
    ReversePathFilter(ReversePath<'a>),
    /// No route leads on, or one that refuses.
    NoWay(NoWay<'a>),
    /// Packets go in a circle.
    Circle(Circle<'a>),
}

/// Packets that ended by one mechanism in one place.
pub(super) struct Fault<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) namespace: &'a Namespace,
    /// The device that they came by; `None` where they came by several.
    pub(super) link: Option<&'a Link>,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl Kind<'_> {
    pub(super) fn cause(&self) -> &'static Cause {
        match self {
            Self::ForwardingOff(_) => &FORWARDING_OFF,
            Self::ReversePathFilter(_) => &REVERSE_PATH_FILTER,
            Self::NoWay(no_way) if no_way.refusing.is_empty() => &NO_ROUTE,
            Self::NoWay(_) => &BLACKHOLE_ROUTE,
            Self::Circle(_) => &TTL_EXCEEDED,
        }
    }

    /// The protocol that tells two findings of one place apart.
    pub(super) fn protocol(&self) -> Option<&'static str> {
        match self {
            Self::ForwardingOff(forwarding) if forwarding.version == Version::V6 => Some("IPv6"),
            Self::NoWay(no_way) if no_way.version == Version::V6 => Some("IPv6"),
            Self::Circle(circle) if circle.version == Version::V6 => Some("IPv6"),
            _ => None,
        }
    }
}

/// The state that proves that nothing was forwarded.
pub(super) struct Forwarding<'a> {
    pub(super) version: Version,
    /// The devices that the packets came by.
    pub(super) ingress: Vec<&'a Link>,
    /// The devices that have to forward, those of the answers too.
    pub(super) devices: Vec<&'a Link>,
    /// Every device of the namespace.
    pub(super) all: Vec<&'a Link>,
    /// It is off at the end of the window.
    pub(super) is_off: bool,
    /// The setting was read; else the place and the packets tell.
    pub(super) is_read: bool,
}

/// The kernel's answer for the packets that came by one device.
pub(super) struct NoWay<'a> {
    pub(super) version: Version,
    /// The answer for the first packet.
    pub(super) first: &'a RouteLookup,
    /// The destinations, each once.
    pub(super) destinations: Vec<IpAddr>,
    /// The routes that refuse; none where no route matches, or where a rule refuses.
    pub(super) refusing: Vec<&'a RouteEntry>,
    /// A routing daemon or a network plugin wrote one of them.
    pub(super) is_of_daemon: bool,
    /// The rules that refuse, or may.
    pub(super) rules: Vec<&'a RoutingRule>,
    /// The routes that led on until they were deleted within the window.
    pub(super) removed: Vec<&'a RouteEntry>,
    /// The route that leads on once the first one that refuses is gone.
    pub(super) otherwise: Option<&'a RouteEntry>,
    /// A route of some table has one of the destinations, or not all tables were read.
    pub(super) is_covered: bool,
    /// The routes that refuse have addresses of pods here to which `otherwise` does not lead.
    pub(super) keeps_pods: bool,
}

/// The kernel's answer that proves a circle.
pub(super) struct Circle<'a> {
    pub(super) version: Version,
    /// The answer for the first packet.
    pub(super) first: &'a RouteLookup,
    /// The device of the node by which the packets come back, and by which it sends them off.
    pub(super) back: &'a Link,
    /// The namespace of the next hop, where it is one here.
    pub(super) holder: Option<&'a Namespace>,
}

/// The state that proves the reverse path filter.
pub(super) struct ReversePath<'a> {
    /// The device's own value.
    pub(super) own: Option<u32>,
    /// The value that all devices share.
    pub(super) all: Option<u32>,
    /// The device has an IPv4 address; `None` where that was not read.
    pub(super) has_address: Option<bool>,
    /// Only copies for groups were refused.
    pub(super) is_group: bool,
    pub(super) fix: Fix<'a>,
}

/// The change of settings that lets the packets in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fix<'a> {
    /// Another value for the device.
    Device { from: u32, to: u32 },
    /// 0 for what all devices share, and for the device; with the devices that are filtered less by it.
    All {
        own: u32,
        all: u32,
        lowered: Vec<&'a Link>,
    },
    /// Nothing: the value in force is not known, or no value would help.
    Unknown,
}
