//! Packets with an inline header that generic receive offload does not join, on interfaces where it joins others.

use super::{NAME, SEGMENT_ROUTING_GRO, encapsulate};
use crate::{
    evidence::{EvidenceWindow, GroCount, GroKind, GroReceive, Link, Namespace, OnDemand},
    finding::{Confidence, Finding, Proof, Remedy, Severity, Subject, Text, counted_packets},
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
struct Share {
    offered: u64,
    /// Joined, or kept to be joined.
    joined: u64,
}

/// An interface with inline packets that are not joined.
struct Unmerged<'a> {
    link: &'a Link,
    namespace: &'a Namespace,
    inline: Share,
    /// Traffic that is joined there, when there is enough of it to tell.
    beside: Option<Share>,
    /// When it was watched, milliseconds since the window began.
    times: (u64, u64),
}

/// One finding for each interface.
pub(super) fn unmerged(window: &EvidenceWindow) -> Vec<Finding> {
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
        .map(|unmerged| unmerged.describe(window))
        .collect()
}

fn judge<'a>(
    window: &'a EvidenceWindow,
    gro: &GroReceive,
    count: &GroCount,
    times: (u64, u64),
) -> Option<Unmerged<'a>> {
    let link = window.link(count.netns, count.ifindex)?;
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
        times,
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

    fn per_cent(self) -> u128 {
        u128::from(self.joined) * 100 / u128::from(self.offered.max(1))
    }
}

impl Unmerged<'_> {
    fn describe(&self, window: &EvidenceWindow) -> Finding {
        let name = &self.link.name;
        let subject = Subject::of_link(self.link, Some(self.namespace));
        let beside = match self.beside {
            Some(beside) => format!(", but {} % of other traffic", beside.per_cent()),
            None => String::new(),
        };
        let few = if self.inline.joined == 0 {
            "none"
        } else {
            "hardly any"
        };
        let text = Text {
            headline: format!(
                "{name} joins {few} of {} with an inline segment routing header{beside}",
                counted_packets(self.inline.offered)
            ),
            what: format!(
                "Generic receive offload (GRO) joins TCP segments of a flow before the stack handles them, if their \
                 checksums are right. It checks them against the destination in the IPv6 header. On the way that is \
                 the next segment of the route, while the sender computed the checksum for the last one, so that every \
                 segment looks wrong to GRO and goes up the stack alone. The stack handles the routing header before \
                 TCP looks, and then the checksum is right. So it is on Linux {}.",
                window.node.kernel
            ),
            hurts: "Nothing is lost. Each segment costs the CPU that serves the interface what many together cost \
                    elsewhere, which limits how fast such flows can be."
                .to_owned(),
        };
        let mut finding = Finding::new(NAME, SEGMENT_ROUTING_GRO, Severity::Warning, subject, text);
        finding.confidence = match self.beside {
            Some(_) => Confidence::Certain,
            None => Confidence::Likely,
        };
        finding.count = self.inline.offered.saturating_sub(self.inline.joined);
        (finding.first_ms, finding.last_ms) = self.times;
        finding.evidence = self.proofs(window);
        finding.remedies = vec![
            encapsulate(),
            Remedy::advice("Or leave it, if the CPUs that serve the interface have time left."),
        ];
        finding
    }

    fn proofs(&self, window: &EvidenceWindow) -> Vec<Proof> {
        let name = &self.link.name;
        let mut proofs = Vec::new();
        let mut share = |what: &str, share: Share| {
            let joined = format!("{} of {}", share.joined, share.offered);
            let what = format!("{what} joined or kept to be joined on {name}");
            proofs.push(Proof::new(what, joined, "packets", "napi_gro_receive"));
        };
        share("TCP behind an inline segment routing header,", self.inline);
        if let Some(beside) = self.beside {
            share("other TCP and encapsulated packets,", beside);
        }
        if let Some(is_on) = self.link.receive_offload {
            let what = format!("generic-receive-offload of {name}");
            let value = if is_on { "on" } else { "off" };
            proofs.push(Proof::new(what, value, "", "net_device.features"));
        }
        proofs.push(Proof::new("kernel", &window.node.kernel, "", "uname"));
        proofs
    }
}
