//! The kernel's answers about routes of the node's own namespace.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The routes of packets that found no way on, as the kernel gave them when the window had ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    /// One look-up for each flow.
    pub lookups: Vec<RouteLookup>,
    /// The routes of all tables whose prefix has one of these destinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covering: Vec<RouteEntry>,
    /// The same of routes that were deleted within the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RouteEntry>,
    /// The routing rules that refuse, or that go by what a look-up was not asked with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RoutingRule>,
    /// The parts that were not read, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// A question for a route of the node's own namespace. Marks and ports of packets are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteQuestion {
    /// The destination.
    pub destination: IpAddr,
    /// The source.
    pub source: IpAddr,
    /// Index of the device that the packet came by.
    pub ingress: u32,
}

/// A question for a route and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteLookup {
    /// The question.
    pub question: RouteQuestion,
    /// The answer.
    pub answer: RouteAnswer,
}

/// The kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RouteAnswer {
    /// A route leads on.
    Leads {
        /// Index of the device that it leads out of.
        ifindex: u32,
        /// The next hop; absent where the destination is a neighbour.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<IpAddr>,
    },
    /// An address of the node itself.
    Local,
    /// No route matches, or a rule says so (ENETUNREACH).
    NoRoute,
    /// A route refuses, or a rule.
    Refused {
        /// The way of refusing.
        by: Refusal,
    },
    /// Another error.
    Failed {
        /// Its number.
        errno: i32,
    },
}

/// The types of routes and rules that refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// Silently (RTN_BLACKHOLE).
    Blackhole,
    /// With an ICMP error (RTN_UNREACHABLE).
    Unreachable,
    /// With an ICMP error that tells of a policy (RTN_PROHIBIT).
    Prohibit,
}

/// A route of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// The prefix's address.
    pub prefix: IpAddr,
    /// The prefix's length, bits.
    pub length: u8,
    /// The way in which it refuses; absent where it leads on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The table's number.
    pub table: u32,
    /// The metric; 0 where it has none.
    #[serde(default)]
    pub metric: u32,
    /// The number of the program that wrote it (RTPROT_*): 3 `ip`, 4 an administrator, from 9 on programs.
    pub protocol: u8,
    /// The next hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Index of the device that it leads out of; 0 where it has none, or several.
    #[serde(default)]
    pub ifindex: u32,
    /// The next hop is reached by that device whatever its addresses are (RTNH_F_ONLINK).
    #[serde(default)]
    pub is_onlink: bool,
    /// It has nothing beside these: several next hops, a source, an encapsulation, an MTU.
    #[serde(default)]
    pub is_plain: bool,
}

/// A routing rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRule {
    /// It is one of IPv6.
    pub is_ipv6: bool,
    /// Its place among the others, the lowest first.
    pub priority: u32,
    /// The way in which it refuses; absent where it names a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// It goes by marks, ports, protocols or users.
    #[serde(default)]
    pub goes_by_more: bool,
}

impl Refusal {
    /// The word that `ip route` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        }
    }
}

impl RouteEntry {
    /// Its prefix has the address.
    pub fn has(&self, address: IpAddr) -> bool {
        is_within(address, self.prefix, self.length)
    }
}

/// Both addresses share their first bits.
pub(crate) fn is_within(address: IpAddr, own: IpAddr, prefix: u8) -> bool {
    match (address, own) {
        (IpAddr::V4(address), IpAddr::V4(own)) => {
            let differ = u32::from(address) ^ u32::from(own);
            differ.leading_zeros() >= u32::from(prefix)
        }
        (IpAddr::V6(address), IpAddr::V6(own)) => {
            let differ = u128::from(address) ^ u128::from(own);
            differ.leading_zeros() >= u32::from(prefix)
        }
        _ => false,
    }
}
