//! Super-frames with an inline header that the kernel takes for malformed on their way out.

use std::collections::BTreeMap;

use super::{NAME, SEGMENT_ROUTING_GSO, encapsulate};
use crate::{
    evidence::{DropCount, Drops, EvidenceWindow, Link, Namespace, NetnsId, PacketSample},
    finding::{
        Confidence, Finding, Outcome, Proof, Remedy, Severity, Subject, Text, counted_packets,
    },
    kernel::Reason,
    packets::{
        flow::frequent_flows,
        ip::{IpPacket, SEGMENT_ROUTING, TCP},
    },
};

/// `qdisc_pkt_len_segs_init` in `__dev_queue_xmit`: what should be the TCP header of a super-frame has no valid length
/// ("net: pull headers in qdisc_pkt_len_segs_init()", 7.0.10 and stable releases of 2026).

/// As many flows as a person reads.
const FLOWS_SHOWN: usize = 3;

/// Super-frames that a device refused.
pub(super) struct BadSuperFrames<'a> {
    link: &'a Link,
    namespace: &'a Namespace,
    /// Drop keys.
    pub(super) drops: Vec<usize>,
    count: u64,
    /// First and last, milliseconds since the window began.
    times: (u64, u64),
}

/// The devices that dropped such frames, in the order of their namespaces and indices.
pub(super) fn bad_super_frames<'a>(
    window: &'a EvidenceWindow,
    so_far: &Outcome,
) -> impl Iterator<Item = BadSuperFrames<'a>> {
    let mut devices: BTreeMap<(NetnsId, u32), BadSuperFrames<'a>> = BTreeMap::new();
    let drops = window.drops.value().into_iter();
    let inline = drops.flat_map(|drops| {
        let keys = drops.counts.iter().enumerate();
        keys.filter(|(drop, key)| key.reason == Reason::SKB_BAD_GSO && are_inline(drops, *drop))
    });
    for (drop, key) in inline.filter(|(drop, key)| key.count > 0 && !so_far.is_claimed(*drop)) {
        let place = key
            .netns
            .and_then(|netns| Some((window.link(netns, key.ifindex)?, window.namespace(netns)?)));
        let Some((link, namespace)) = place else {
            continue;
        };
        devices
            .entry((link.netns, link.ifindex))
            .or_insert_with(|| BadSuperFrames {
                link,
                namespace,
                drops: Vec::new(),
                count: 0,
                times: (key.first_ms, key.last_ms),
            })
            .add(drop, key);
    }
    devices.into_values()
}

/// Whether every sampled packet of this key is TCP behind an inline segment routing header. What was not sampled may be
/// anybody's malformed frame.
fn are_inline(drops: &Drops, drop: usize) -> bool {
    let mut samples = drops.samples_of(drop).peekable();
    samples.peek().is_some() && samples.all(is_inline)
}

fn is_inline(sample: &PacketSample) -> bool {
    IpPacket::of_sample(sample).is_some_and(|packet| {
        packet.routing_type == Some(SEGMENT_ROUTING) && packet.protocol == TCP
    })
}

impl BadSuperFrames<'_> {
    fn add(&mut self, drop: usize, key: &DropCount) {
        self.drops.push(drop);
        self.count = self.count.saturating_add(key.count);
        self.times.0 = self.times.0.min(key.first_ms);
        self.times.1 = self.times.1.max(key.last_ms);
    }

    pub(super) fn describe(&self, window: &EvidenceWindow) -> Finding {
        let name = &self.link.name;
        let subject = Subject::of_link(self.link, Some(self.namespace));
        let text = Text {
            headline: format!(
                "{name} drops TCP super-frames with an inline segment routing header: {} lost on the way out",
                counted_packets(self.count)
            ),
            what: format!(
                "TCP hands over super-frames that are segmented at the device. Of each one the kernel reads the length \
                 of the TCP header, where it notes that header to be; for inline segment routing that is the routing \
                 header itself (seg6_do_srh). So it reads a byte of the last segment's address, the fifth, and drops \
                 the frame as malformed when that is below 0x50. Linux {} does so; before the check came, in stable \
                 releases of 2026, the wrong length did no harm.",
                window.node.kernel
            ),
            hurts: "Connections come about and small transfers pass, since single segments do. Once TCP sends more at \
                    a time its data is lost, again and again, and the transfer stalls."
                .to_owned(),
        };
        let mut finding =
            Finding::new(NAME, SEGMENT_ROUTING_GSO, Severity::Critical, subject, text);
        finding.confidence = Confidence::Certain;
        finding.count = self.count;
        (finding.first_ms, finding.last_ms) = self.times;
        let samples = || {
            let drops = window.drops.value().into_iter();
            drops.flat_map(|drops| self.drops.iter().flat_map(|drop| drops.samples_of(*drop)))
        };
        finding.evidence = self.proofs(window, samples());
        finding.details = frequent_flows(samples(), FLOWS_SHOWN)
            .into_iter()
            .map(|flow| ("Flow", flow.to_string()))
            .collect();
        finding.remedies = self.remedies();
        finding
    }

    fn proofs<'s>(
        &self,
        window: &EvidenceWindow,
        samples: impl Iterator<Item = &'s PacketSample>,
    ) -> Vec<Proof> {
        let name = &self.link.name;
        let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
        let mut proofs: Vec<Proof> = self
            .drops
            .iter()
            .filter_map(|drop| counts.get(*drop))
            .map(|key| {
                let location = key
                    .location
                    .named()
                    .unwrap_or("a function that could not be named");
                let what = format!("{} at {location}, dev {name}", key.reason);
                Proof::new(what, key.count, "packets", "kfree_skb")
            })
            .collect();
        let (count, longest) = samples.fold((0, 0), |(count, longest), sample| {
            (count + 1, sample.length.max(longest))
        });
        let what = "sampled frames with TCP behind an inline segment routing header";
        proofs.push(Proof::new(what, count, "packets", "kfree_skb"));
        let what = format!(
            "longest sampled frame; the MTU of {name} is {}",
            self.link.mtu
        );
        proofs.push(Proof::new(what, longest, "bytes", "kfree_skb"));
        let dropped = self.link.increase(|stats| stats.tx_dropped);
        let what = format!("{name} tx_dropped");
        proofs.push(Proof::new(
            what,
            format!("+{dropped}"),
            "packets",
            "netlink",
        ));
        proofs.push(Proof::new("kernel", &window.node.kernel, "", "uname"));
        proofs
    }

    fn remedies(&self) -> Vec<Remedy> {
        let name = self.link.name.as_str();
        let words = ["ip", "link", "set", "dev", name, "gso_max_segs", "1"];
        let single = Remedy::command_in(
            self.namespace,
            format!("Let {name} take single segments alone."),
            &words,
            &[name],
        )
        .with_effect(
            "Costs CPU time for all traffic that leaves by it. Connections that are open keep what they had: open them \
             anew.",
        );
        vec![single, encapsulate()]
    }
}
