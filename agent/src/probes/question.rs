//! The condition under which a probe on the path of every packet is needed: the input of a question, and its answers.

use netdiag_diagnosis::{
    evidence::{Link, Namespace, NetnsId},
    uapi::flags::IFF_LOOPBACK,
};

/// The need for a probe at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// It is, to answer this.
    Question(String),
    /// It is not, for this reason.
    None(String),
}

/// The facts that were read as the window began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WindowStart<'a> {
    /// The links of the node.
    pub links: &'a [Link],
    /// Its namespaces.
    pub namespaces: &'a [Namespace],
    /// The node's first route that has to do with segment routing headers.
    pub segment_route: Option<SegmentRoute>,
}

/// A route's treatment of segment routing headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentRoute {
    /// `encap seg6`: adds one.
    Adds,
    /// `encap seg6local`: acts on one.
    ActsOn,
}

/// Counters of one namespace, IPv4 and IPv6 together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProtocolCounters {
    /// `Ip.ReasmReqds` and `Ip6.ReasmReqds`: fragments that were to be put together.
    pub fragments: u64,
    /// `Ip.ReasmFails` and `Ip6.ReasmFails`.
    pub failed_reassemblies: u64,
    /// `Tcp.RetransSegs`.
    pub retransmitted_segments: u64,
}

/// The counters of a namespace that rose since the reading before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rise {
    /// The namespace.
    pub netns: NetnsId,
    /// By how much.
    pub by: ProtocolCounters,
}

/// A question that a probe answers.
pub(crate) trait Question {
    /// The question as the window begins.
    fn of(start: &WindowStart<'_>) -> Self;

    /// The need after these counters rose.
    fn after(&self, rises: &[Rise]) -> Demand;
}

/// True for a link that takes in packets from outside.
pub(crate) fn receives(link: &Link) -> bool {
    link.is_up() && link.requested_flags & IFF_LOOPBACK == 0
}
