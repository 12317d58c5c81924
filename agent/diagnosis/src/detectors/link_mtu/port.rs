//! Packets that are longer than the bridge port takes that they are to go out on.

use std::collections::BTreeMap;

use super::judge::{VLAN_TAG, length_without_link_header};
use crate::{
    Window,
    causes::PORT_MTU_SMALLER,
    detectors::kit::{Tally, change::set_mtu, harm, proof, say, unclaimed},
    evidence::{DropCount, Link, LinkId, LinkKind, Namespace, PacketSample},
    finding::{
        Assessment, Confidence, Culprit, Finding, Harm, Outcome, Proof, Remedy, Subject, Text,
    },
    kernel::{hook, site},
};

/// Packets that a bridge refused to send out by a port.
struct Refused<'a> {
    egress: &'a Link,
    namespace: &'a Namespace,
    /// The port that they came by, where a sample tells.
    ingress: Option<&'a Link>,
    tally: Tally,
    /// Smallest and largest sampled, bytes without the Ethernet header.
    sizes: (u32, u32),
    confidence: Confidence,
}

/// The findings of every port, with the drops that they explain. A key without a packet that was too long is left alone:
/// a port that is down is refused at the same place.
pub(super) fn outcome(window: &Window<'_>, so_far: &Outcome) -> Outcome {
    let mut outcome = Outcome::default();
    for refused in refusals(window, so_far) {
        let keys = refused.tally.keys.clone();
        outcome.extend(Outcome::of_loss(refused.finding(window), &keys));
    }
    outcome
}

fn refusals<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Refused<'a>> {
    let mut found: BTreeMap<LinkId, Refused<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let at_port = key.location.is_of(&site::BR_DEV_QUEUE_PUSH_XMIT) && key.reason.is_unnamed();
        let egress = key
            .netns
            .and_then(|netns| window.topology.link(netns, key.ifindex));
        let is_port = |link: &&Link| link.slave_kind == Some(LinkKind::Bridge);
        if let Some(egress) = egress.filter(is_port)
            && at_port
            && let Some(namespace) = window.namespace(egress.netns)
        {
            add(window, &mut found, (index, key), egress, namespace);
        }
    }
    found.into_values().collect()
}

fn add<'a>(
    window: &'a Window<'_>,
    found: &mut BTreeMap<LinkId, Refused<'a>>,
    (index, key): (usize, &DropCount),
    egress: &'a Link,
    namespace: &'a Namespace,
) {
    let samples: Vec<&PacketSample> = window.samples_of(index).collect();
    let lengths = samples
        .iter()
        .map(|sample| length_without_link_header(sample));
    let (too_long, fitting): (Vec<u32>, Vec<u32>) =
        lengths.partition(|length| *length > egress.mtu.saturating_add(VLAN_TAG));
    let (Some(smallest), Some(largest)) = (too_long.iter().min(), too_long.iter().max()) else {
        return;
    };
    let refused = found.entry(egress.id()).or_insert_with(|| Refused {
        egress,
        namespace,
        ingress: None,
        tally: Tally::default(),
        sizes: (*smallest, *largest),
        confidence: Confidence::Certain,
    });
    refused.tally.add(index, key);
    refused.sizes = (
        refused.sizes.0.min(*smallest),
        refused.sizes.1.max(*largest),
    );
    let mut ports = samples
        .iter()
        .filter_map(|sample| window.topology.link(egress.netns, sample.skb_iif));
    refused.ingress = refused.ingress.or_else(|| ports.next());
    if !fitting.is_empty() {
        refused.confidence = Confidence::Likely;
    }
}

impl Refused<'_> {
    fn finding(&self, window: &Window<'_>) -> Finding {
        let subject = Subject::of_link(self.egress, Some(self.namespace));
        let assessment = Assessment::of(Harm::Outage)
            .by(Culprit::Here)
            .with_packets(self.tally.count)
            .with_flows(harm::flows(window, &self.tally));
        let text = self.text(window, &assessment);
        let mut finding = Finding::new(&PORT_MTU_SMALLER, assessment, subject, text);
        finding.confidence = self.confidence;
        self.tally.measure(&mut finding);
        finding.evidence = self.proofs(window);
        finding.details = say::flows(window, &self.tally).collect();
        finding.remedies = self.remedies(window);
        finding
    }

    fn text(&self, window: &Window<'_>, assessment: &Assessment) -> Text {
        let lost = say::count(self.tally.count, "packet");
        let egress = say::device(self.egress, Some(self.namespace));
        let mtu = self.egress.mtu;
        let from = self.ingress.map_or_else(String::new, |port| {
            format!(" from {} (MTU {})", port.name, port.mtu)
        });
        let largest = self.sizes.1;
        Text {
            headline: format!(
                "A bridge has packets{from} that are longer than its port {egress} takes (MTU {mtu}): {lost} lost"
            ),
            what: format!(
                "The ports of one bridge have different MTUs. A bridge does not cut packets and tells nobody: what is \
                 longer than the MTU of the port on its way out is dropped, and path MTU discovery cannot help. The \
                 longest that was seen had {largest} bytes."
            ),
            hurts: format!(
                "No packet longer than {mtu} bytes gets out by {egress}, however often it is sent: {lost} lost{}. UDP \
                 fails, TCP connects and may stall; shorter packets and super-frames (GSO) pass.{}",
                say::within(window),
                say::seen(assessment),
            ),
        }
    }

    fn proofs(&self, window: &Window<'_>) -> Vec<Proof> {
        let sizes = match self.sizes {
            (smallest, largest) if smallest == largest => smallest.to_string(),
            (smallest, largest) => format!("{smallest} to {largest}"),
        };
        let name = "sizes of sampled lost packets, without the Ethernet header";
        let mut proofs = vec![Proof::new(name, sizes, "bytes", hook::KFREE_SKB)];
        proofs.extend(proof::drops(window, &self.tally));
        let ports = [Some(self.egress), self.ingress].into_iter().flatten();
        proofs.extend(ports.map(|port| proof::setting(port, "MTU", port.mtu, "bytes", "netlink")));
        proofs
    }

    /// Raising only the port would move the loss to the device behind it, so the sender is lowered first.
    fn remedies(&self, window: &Window<'_>) -> Vec<Remedy> {
        let set = |link, namespace, text: &str, mtu| {
            let change = set_mtu(link, namespace, text, mtu);
            change.lasting(
                "the MTU in the network plugin's configuration, one for all ports of the bridge",
            )
        };
        let sender = self
            .ingress
            .and_then(|port| window.topology.veth_peer(port));
        let place = sender.and_then(|sender| window.namespace(sender.netns));
        let lower = sender.zip(place).map(|(sender, place)| {
            let text = format!("Lower the sender, {}, to the smaller MTU.", sender.name);
            set(sender, place, &text, self.egress.mtu).with_effect(format!(
                "its packets above {} bytes are cut, or its programs get an error that they can act on",
                self.egress.mtu
            ))
        });
        let raise = self.ingress.filter(|port| port.mtu > self.egress.mtu);
        let raise = raise.map(|port| {
            let text = format!(
                "Or raise {} to the larger MTU, if what is behind it takes that as well.",
                self.egress.name
            );
            set(self.egress, self.namespace, &text, port.mtu).with_effect(
                "packets that are longer than the device behind it takes are lost there",
            )
        });
        lower.into_iter().chain(raise).collect()
    }
}
