//! A veth pair with unequal MTUs: what the larger end sends and the smaller end refuses is lost without a word.

mod loss;
#[cfg(test)]
mod tests;

use self::loss::Loss;
use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::{EvidenceWindow, Link, Namespace},
    finding::{
        Finding, Outcome, Proof, Remedy, Severity, Subject, Text, Unchecked, counted_packets,
    },
    packets::flow::frequent_flows,
};

const NAME: &str = "LinkMtu";
const PEER_MTU_SMALLER: &str = "PeerMtuSmaller";

/// As many flows as a person reads.
const FLOWS_SHOWN: usize = 3;

/// The `LinkMtu` check.
pub(super) struct LinkMtu;

/// Both ends of a veth, the one with the larger MTU first.
struct Pair<'a> {
    sender: End<'a>,
    receiver: End<'a>,
}

#[derive(Clone, Copy)]
struct End<'a> {
    link: &'a Link,
    namespace: &'a Namespace,
}

impl Detector for LinkMtu {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[PEER_MTU_SMALLER],
            needs: &[EvidenceKind::Links, EvidenceKind::Drops],
            summary: "the ends of a link disagree about the largest packet",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, _so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            unchecked: unchecked(window),
            ..Outcome::default()
        };
        for pair in unequal_pairs(window) {
            // Unequal MTUs alone hurt nobody: the larger end may never send a packet that long.
            if let Some(loss) = Loss::between(window, pair.sender.link, pair.receiver.link) {
                let finding = describe(window, &pair, &loss);
                outcome.extend(Outcome::of_loss(finding, &loss.drops));
            }
        }
        outcome
    }
}

fn unequal_pairs(window: &EvidenceWindow) -> impl Iterator<Item = Pair<'_>> {
    window.links().iter().filter_map(|link| {
        let peer = window.veth_peer(link)?;
        let end = |link: &'_ Link| window.namespace(link.netns);
        (link.mtu > peer.mtu).then_some(Pair {
            sender: End {
                link,
                namespace: end(link)?,
            },
            receiver: End {
                link: peer,
                namespace: end(peer)?,
            },
        })
    })
}

impl End<'_> {
    /// `a0 (MTU 9000)`, with whose it is.
    fn label(&self) -> String {
        let Link { name, mtu, .. } = self.link;
        match Subject::of_namespace(self.namespace).place() {
            Some(place) => format!("{name} of {place} (MTU {mtu})"),
            None => format!("{name} (MTU {mtu})"),
        }
    }

    /// The command that gives this end another MTU.
    fn set_mtu(&self, text: String, mtu: u32) -> Remedy {
        let name = self.link.name.as_str();
        let mtu = mtu.to_string();
        let words = ["ip", "link", "set", "dev", name, "mtu", &mtu];
        Remedy::command_in(self.namespace, text, &words, &[name])
    }
}

fn describe(window: &EvidenceWindow, pair: &Pair<'_>, loss: &Loss) -> Finding {
    let (sender, receiver) = (pair.sender, pair.receiver);
    let subject = Subject::of_link(sender.link, Some(sender.namespace));
    let lost = counted_packets(loss.count);
    let text = Text {
        headline: format!(
            "{} sends packets that its veth peer {} refuses: {lost} lost",
            sender.label(),
            receiver.label()
        ),
        what: format!(
            "The two ends of this veth differ in MTU. {} may send up to {} bytes, {} takes up to {} and drops what is \
             longer. The drop happens on the link, so no ICMP error tells the sender and path MTU discovery cannot \
             help.",
            sender.link.name, sender.link.mtu, receiver.link.name, receiver.link.mtu,
        ),
        hurts: "Every packet above the smaller MTU is lost in this direction, always the same ones when they are sent \
                again: UDP datagrams fail, TCP between these two ends gets by with the smaller segment size, and TCP \
                that is forwarded from further away connects and then stalls. Super-frames that are still to be \
                segmented (GSO) pass."
            .to_owned(),
    };
    let mut finding = Finding::new(NAME, PEER_MTU_SMALLER, Severity::Critical, subject, text);
    finding.confidence = loss.confidence;
    finding.count = loss.count;
    (finding.first_ms, finding.last_ms) = loss.times;
    finding.evidence = proofs(window, pair, loss);
    let samples = window.drops.value().into_iter().flat_map(|drops| {
        let of_key = |drop: &usize| drops.samples_of(*drop);
        loss.drops.iter().flat_map(of_key)
    });
    finding.details = frequent_flows(samples, FLOWS_SHOWN)
        .into_iter()
        .map(|flow| ("Flow", flow.to_string()))
        .collect();
    finding.remedies = remedies(pair);
    finding
}

fn proofs(window: &EvidenceWindow, pair: &Pair<'_>, loss: &Loss) -> Vec<Proof> {
    let (sender, receiver) = (pair.sender, pair.receiver);
    let mut proofs = Vec::new();
    if let Some((smallest, largest)) = loss.sizes {
        let sizes = if smallest == largest {
            smallest.to_string()
        } else {
            format!("{smallest} to {largest}")
        };
        proofs.push(Proof::new(
            "sizes of sampled lost packets, without the Ethernet header",
            sizes,
            "bytes",
            "kfree_skb",
        ));
    }
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    for key in loss.drops.iter().filter_map(|drop| counts.get(*drop)) {
        let location = key
            .location
            .named()
            .unwrap_or("a function that could not be named");
        proofs.push(Proof::new(
            format!("dropped at {location}, dev {}", sender.link.name),
            key.count,
            "packets",
            "kfree_skb",
        ));
    }
    for (end, name, value) in [
        (sender, "tx_dropped", loss.tx_dropped),
        (receiver, "rx_dropped", loss.rx_dropped),
    ] {
        let name = format!("{} {name}", end.link.name);
        proofs.push(Proof::new(name, format!("+{value}"), "packets", "netlink"));
    }
    for end in [sender, receiver] {
        let name = format!("MTU of {}", end.link.name);
        proofs.push(Proof::new(name, end.link.mtu, "bytes", "netlink"));
    }
    proofs
}

/// Lowering the sender is always safe; raising the receiver helps only when the way onward is as wide.
fn remedies(pair: &Pair<'_>) -> Vec<Remedy> {
    let (sender, receiver) = (pair.sender.link, pair.receiver.link);
    let lower = pair
        .sender
        .set_mtu(
            format!("Lower {} to the MTU of its peer.", sender.name),
            receiver.mtu,
        )
        .with_effect(format!(
            "Packets above {} bytes are fragmented, or their sender gets an error that it can act on.",
            receiver.mtu
        ));
    let raise = pair
        .receiver
        .set_mtu(
            format!("Or raise {} to the MTU of its peer.", receiver.name),
            sender.mtu,
        )
        .with_effect(format!(
            "Ends the loss on this link; do it only where the whole way behind {} carries {} bytes.",
            receiver.name, sender.mtu
        ));
    let mut remedies = vec![lower, raise];
    if [pair.sender, pair.receiver]
        .iter()
        .any(|end| end.namespace.pod.is_some())
    {
        remedies.push(Remedy::advice(
            "A pod's link is made anew with the pod: set one MTU for both ends in the configuration of the network \
             plugin.",
        ));
    }
    remedies
}

fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let links = window.links.missing().map(|reason| Unchecked {
        check: NAME,
        partly: window.links.value().is_some(),
        reason: format!("links: {reason}"),
    });
    let drops = window.drops.missing().map(|reason| Unchecked {
        check: NAME,
        partly: true,
        reason: format!("sizes of lost packets: {reason}"),
    });
    links.into_iter().chain(drops).collect()
}
