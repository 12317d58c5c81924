//! What a person reads about a checksum drop.

pub(super) mod corruption;

use super::{
    path::{self, Forwarder, Reach},
    sender::{Sender, place_of, senders},
    suspects::{self, Key, Suspects},
    trigger::Trigger,
};
use crate::{
    evidence::{DropCount, EvidenceWindow, Link, Namespace},
    finding::{Finding, Proof, Remedy, Subject, Text},
    packets::ip::IpPacket,
};

/// Forwarders beyond these are counted, not named.
const MOST_NAMED: usize = 5;

/// Packets that lost their checksums, with everything that is said of them.
pub(super) struct Lost<'a> {
    window: &'a EvidenceWindow,
    suspects: &'a Suspects<'a>,
    senders: Vec<Sender<'a>>,
    forwarders: Vec<Forwarder>,
    /// Where they were to arrive.
    at: String,
}

impl<'a> Lost<'a> {
    pub(super) fn of(
        window: &'a EvidenceWindow,
        suspects: &'a Suspects<'a>,
        subject: &Subject,
    ) -> Self {
        let senders = senders(window, suspects);
        let receiver = suspects
            .netns
            .and_then(|netns| window.link(netns, suspects.ifindex));
        let first_link = senders.iter().find_map(|sender| sender.link);
        let last_link = end_of_path(window, suspects, receiver);
        let count = suspects.lost_count().0;
        Self {
            window,
            suspects,
            forwarders: path::forwarders(window, first_link, last_link, count),
            senders,
            at: subject.place().unwrap_or_else(|| "the node".to_owned()),
        }
    }

    pub(super) fn text(&self) -> Text {
        let Self {
            suspects,
            senders,
            forwarders,
            at,
            ..
        } = self;
        let culprit = path::culprit(forwarders);
        let protocols = protocols(suspects);
        let from = list(senders);
        let (count, is_least) = suspects.lost_count();
        let least = if is_least { "at least " } else { "" };
        let headline = format!(
            "{least}{count} {protocols}{} from {from} lost half-made checksums on the way to {at}",
            plural(count, "packet", "packets"),
        );
        let dropped_by = match suspects.trigger {
            Trigger::Checksum => "The receiver finds the checksum wrong and drops the packet.",
            Trigger::Elsewhere => {
                "Connection tracking calls such a packet invalid, and it is dropped before any socket could count it."
            }
        };
        let mut what = format!(
            "The sender leaves its checksums to the device (CHECKSUM_PARTIAL) and stores only the pseudo-header's sum. \
             {} the bytes on without the note that the checksum is unfinished, so nobody finishes it. {dropped_by}",
            match culprit {
                Some(forwarder) if forwarder.reach == Reach::BothEnds =>
                    format!("{} passes", process(forwarder)),
                Some(forwarder) => format!("Most likely {} passes", process(forwarder)),
                None => "A program between sender and receiver passes".to_owned(),
            },
        );
        if suspects.pseudo_header.is_empty() {
            what.push_str(
            " The field is not the sum of these addresses, as is so after address translation; a sender that writes \
             one wrong value for every packet would look the same.",
        );
        }
        let hurts = if super_frames(senders, suspects).is_some() {
            "Frames that the sender leaves to the device to cut into segments (TSO) are lost, those that fit the wire \
             arrive. So connections open and bulk data crawls: each such frame waits for a timeout, and then goes in \
             pieces."
            .to_owned()
        } else {
            format!("Every {protocols}packet from {from} to {at} that takes this path is lost.")
        };
        Text {
            headline,
            what,
            hurts,
        }
    }

    pub(super) fn describe(&self, finding: &mut Finding) {
        let Self {
            window,
            suspects,
            senders,
            forwarders,
            ..
        } = self;
        let culprit = path::culprit(forwarders);
        if let Some(forwarder) = culprit {
            finding.subject.process = Some(process(forwarder));
            finding
                .subject
                .container
                .clone_from(&forwarder.owner.container);
        }
        finding.details = details(window, senders, forwarders);
        finding.evidence = counts(suspects.lost());
        finding.evidence.extend(proofs(suspects, suspects.lost()));
        finding.evidence.extend(super_frames(senders, suspects));
        finding.evidence.extend(counters(window, suspects));
        finding
            .evidence
            .extend(senders.iter().filter_map(Sender::offload_proof));
        finding.evidence.extend(forwarders.iter().map(|forwarder| {
            Proof::new(
                process(forwarder),
                &forwarder.holds,
                "",
                "BPF iterator task_file",
            )
        }));
        finding.remedies = remedies(senders, culprit);
    }
}

/// `a0 of pod shop/client`, or `a0 of pod shop/client and 2 more senders`.
fn list(senders: &[Sender<'_>]) -> String {
    match senders {
        [] => "an unknown sender".to_owned(),
        [one] => one.name(),
        [one, _] => format!("{} and 1 more sender", one.name()),
        [one, rest @ ..] => format!("{} and {} more senders", one.name(), rest.len()),
    }
}

/// Where the path ends: the receiver's own link, also when a filter on the way dropped the packet.
fn end_of_path<'a>(
    window: &'a EvidenceWindow,
    suspects: &Suspects<'_>,
    dropped_on: Option<&'a Link>,
) -> Option<&'a Link> {
    if suspects.trigger == Trigger::Checksum {
        return dropped_on;
    }
    // A filter sees the packet after the forwarder handed it on, so the device it came in on is the path's last known
    // point; the receiver behind it is not reached.
    dropped_on.or_else(|| {
        let packet = suspects.pseudo_header.first()?;
        path::holder_of(window, packet.final_destination)?.1
    })
}

/// `TCP and UDP `; empty where the drops are a filter's, since its few samples do not speak for the rest.
fn protocols(suspects: &Suspects<'_>) -> String {
    if suspects.trigger == Trigger::Elsewhere {
        return String::new();
    }
    let mut names: Vec<&str> = suspects.lost().filter_map(|key| key.protocol).collect();
    names.sort_unstable();
    names.dedup();
    names.join(" and ") + if names.is_empty() { "" } else { " " }
}

fn details(
    window: &EvidenceWindow,
    senders: &[Sender<'_>],
    forwarders: &[Forwarder],
) -> Vec<(&'static str, String)> {
    let senders = senders
        .iter()
        .map(|sender| ("Sender", sender.detail(window)));
    let is_alone = path::culprit(forwarders).is_some();
    let between = forwarders.iter().take(MOST_NAMED).map(|forwarder| {
        let pod = forwarder.owner.pod.as_ref();
        let home = pod
            .map(|pod| format!(", pod {}/{}", pod.namespace, pod.name))
            .unwrap_or_default();
        let sure = match forwarder.reach {
            Reach::BothEnds if is_alone => "",
            Reach::Routed if is_alone => " (most likely)",
            _ => " (possibly)",
        };
        (
            "Between",
            format!("{}{home}: {}{sure}", process(forwarder), forwarder.holds),
        )
    });
    senders.chain(between).collect()
}

fn counts<'a>(keys: impl Iterator<Item = &'a Key<'a>>) -> Vec<Proof> {
    let name = |drop: &DropCount| match (drop.reason.named(), drop.location.named()) {
        (Some(reason), None) => reason.to_owned(),
        (reason, function) => format!(
            "{} at {}",
            reason.unwrap_or("dropped"),
            function.unwrap_or_default()
        ),
    };
    let proof = |key: &Key<'_>| Proof::new(name(key.drop), key.drop.count, "packets", "kfree_skb");
    keys.map(proof).collect()
}

fn proofs<'a>(suspects: &Suspects<'_>, keys: impl Iterator<Item = &'a Key<'a>>) -> Vec<Proof> {
    let judged = suspects::judged(keys);
    if judged == 0 {
        return Vec::new();
    }
    let mut proofs = vec![Proof::new(
        "checksum field holds the pseudo-header's sum alone",
        format!("{} of {judged} sampled", suspects.pseudo_header.len()),
        "packets",
        "kfree_skb",
    )];
    if !suspects.translated.is_empty() {
        proofs.push(Proof::new(
            "it misses that sum by one value, whatever the packet's bytes are",
            format!("{} of {judged} sampled", suspects.translated.len()),
            "packets",
            "kfree_skb",
        ));
    }
    proofs
}

/// Every sampled packet is longer than its sender's device sends: it was to be cut into segments.
fn super_frames(senders: &[Sender<'_>], suspects: &Suspects<'_>) -> Option<Proof> {
    let mtu = senders
        .iter()
        .filter_map(|sender| Some(sender.link?.mtu))
        .max()?;
    let lost = || suspects.pseudo_header.iter().chain(&suspects.translated);
    let is_longer = |packet: &IpPacket<'_>| {
        let length = packet.transport_length;
        length.is_some_and(|length| length > mtu as usize)
    };
    lost().all(is_longer).then(|| {
        Proof::new(
            format!("longer than the sender's MTU of {mtu} bytes"),
            format!("{} of {} sampled", lost().count(), lost().count()),
            "packets",
            "kfree_skb",
        )
    })
}

fn counters(window: &EvidenceWindow, suspects: &Suspects<'_>) -> Vec<Proof> {
    let here = suspects.netns.and_then(|netns| window.namespace(netns));
    let names = [
        "Tcp.InCsumErrors",
        "Udp.InCsumErrors",
        "Udp6.InCsumErrors",
        "Conntrack.invalid",
    ];
    let rise = |namespace: &Namespace, name: &str| {
        let increase = namespace.increase(name).filter(|increase| *increase > 0)?;
        let label = format!("{name} of {}", place_of(namespace));
        Some(Proof::new(label, format!("+{increase}"), "", "/proc/net"))
    };
    here.into_iter()
        .flat_map(|namespace| names.iter().filter_map(move |name| rise(namespace, name)))
        .collect()
}

fn remedies(senders: &[Sender<'_>], forwarder: Option<&Forwarder>) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = senders
        .iter()
        .filter_map(Sender::turn_offload_off)
        .collect();
    let program = forwarder.map_or_else(|| "the program on the path".to_owned(), process);
    remedies.push(Remedy::advice(format!(
        "Mend {program}: read and write the frames with their virtio-net header (PACKET_VNET_HDR on a packet socket, \
         IFF_VNET_HDR on a TUN device), or finish the checksum before sending."
    )));
    if senders.iter().all(|sender| sender.link.is_none()) {
        remedies.push(Remedy::advice(
            "Turn the sender's transmit checksum offload off where it runs (ethtool -K DEVICE tx off).",
        ));
    }
    remedies
}

fn process(forwarder: &Forwarder) -> String {
    format!("{} (pid {})", forwarder.owner.comm, forwarder.owner.pid)
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
