//! The words about checksums that were not filled in.

pub(super) mod corruption;

use std::net::IpAddr;

use super::{
    candidates::{self, Candidates, Key},
    judge::{Counted, Lost, Unseen},
    path::Reach,
    processes::Process,
    sender::{Origin, Sender},
    trigger::Trigger,
};
use crate::{
    Window,
    detectors::kit::{offload, proof, say},
    evidence::Namespace,
    finding::{Assessment, Harm, Proof, Remedy, Subject, Text},
    kernel::NamespaceCounter,
    packets::ip_protocols,
};

/// Forwarders beyond these are counted, not named.
const MOST_NAMED: usize = 5;

pub(super) fn lost(found: &Lost<'_>, subject: &Subject, assessment: &Assessment) -> Text {
    let candidates = found.candidates;
    let at = subject.place().unwrap_or_else(|| "the node".to_owned());
    let protocols = protocols(candidates);
    let from = match found.senders.as_slice() {
        [] => "an unknown sender".to_owned(),
        [first, others @ ..] => say::and_others(&name(first), others.len(), "sender"),
    };
    let least = if candidates.is_least() {
        "at least "
    } else {
        ""
    };
    let packets = say::count(found.tally.count, &format!("{protocols}packet"));
    let dropped_by = match candidates.trigger {
        Trigger::Checksum => "The receiver finds the checksum wrong and drops the packet.",
        Trigger::Elsewhere => {
            "Connection tracking calls such a packet invalid, and it is dropped before any socket could count it."
        }
    };
    let mut what = format!(
        "The sender leaves its checksums to the device (CHECKSUM_PARTIAL) and stores only the pseudo-header's sum. \
         {} the bytes on without the note that the checksum is not filled in, so nobody fills it in. {dropped_by}",
        match found.responsible() {
            Some(forwarder) if forwarder.reach == Reach::BothEnds =>
                format!("{} passes", say::process(forwarder.process.owner)),
            Some(forwarder) => format!(
                "Most likely {} passes",
                say::process(forwarder.process.owner)
            ),
            None => "A program between sender and receiver passes".to_owned(),
        },
    );
    if candidates.pseudo_header.is_empty() {
        what.push_str(
            " The field is not the sum of these addresses, as after address translation; a sender that writes \
         one wrong value for every packet would look the same.",
        );
    }
    let seen = say::seen(assessment);
    let part = least.to_owned() + &say::part(assessment, &format!("{protocols}packet"));
    let hurts = match assessment.harm {
        _ if found.exceeded_mtu.is_some() => format!(
            "Connections from {from} to {at} open and bulk data crawls: {part} died. Frames that the sender leaves to \
             the device to cut into segments (TSO) are lost, frames that fit the wire arrive; each lost one waits for a \
             timeout, and then goes in pieces.{seen}"
        ),
        Harm::Outage => format!(
            "Connections from {from} to {at} fail: {part} died, the same segment three times or more.{seen}"
        ),
        _ => format!(
            "From {from} to {at}, {part} died, as does every packet on this path whose checksum is left to the \
             device.{seen}"
        ),
    };
    Text {
        headline: format!(
            "{least}{packets} from {from} to {at} died of checksums that were not filled in"
        ),
        what,
        hurts,
    }
}

/// `TCP and UDP `; empty where the drops are a filter's, because its few samples do not speak for the rest.
fn protocols(candidates: &Candidates<'_>) -> String {
    if candidates.trigger == Trigger::Elsewhere {
        return String::new();
    }
    let mut numbers: Vec<u8> = candidates.lost().filter_map(|key| key.protocol).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let names: Vec<String> = numbers.into_iter().map(ip_protocols::name).collect();
    names.join(" and ") + if names.is_empty() { "" } else { " " }
}

/// `eth0 of pod shop/client`.
fn name(sender: &Sender<'_>) -> String {
    match (sender.namespace, sender.link) {
        (Some(namespace), Some(link)) => format!("{} of {}", link.name, say::namespace(namespace)),
        (Some(namespace), None) => say::namespace(namespace),
        _ => addresses(sender),
    }
}

fn addresses(sender: &Sender<'_>) -> String {
    let addresses: Vec<String> = sender.addresses.iter().map(IpAddr::to_string).collect();
    addresses.join(", ")
}

pub(super) fn details(window: &Window<'_>, found: &Lost<'_>) -> Vec<(&'static str, String)> {
    let senders = found.senders.iter().map(|sender| {
        let addresses = addresses(sender);
        let text = match sender.origin(window) {
            Origin::Known(_) => format!("{} ({addresses})", name(sender)),
            Origin::NodeAddress => {
                format!("{addresses}: an address of the node, which may stand for another")
            }
            Origin::Ambiguous => format!("{addresses}: more than one namespace here holds it"),
            Origin::Elsewhere => format!("{addresses}: not on this node"),
        };
        ("Sender", text)
    });
    let is_told = found.responsible().is_some();
    let between = found.forwarders.iter().take(MOST_NAMED).map(|forwarder| {
        let process = say::process_of_pod(forwarder.process.owner);
        let sure = match forwarder.reach {
            Reach::BothEnds if is_told => "",
            Reach::Routed if is_told => " (most likely)",
            _ => " (possibly)",
        };
        (
            "Between",
            format!("{process}: {}{sure}", holds(forwarder.process)),
        )
    });
    let more = found.forwarders.len().saturating_sub(MOST_NAMED) as u64;
    let more = (more > 0).then(|| {
        let processes = say::count(more, "more process");
        ("Between", format!("{processes} (possibly)"))
    });
    senders.chain(between).chain(more).collect()
}

/// `packet sockets on m0, m1 and TUN device tun0`.
fn holds(process: &Process<'_>) -> String {
    let Process { sockets, tuns, .. } = process;
    let mut parts = Vec::new();
    if !sockets.is_empty() {
        parts.push(format!("packet sockets on {}", sockets.join(", ")));
    }
    if !tuns.is_empty() {
        let devices = if tuns.len() == 1 { "device" } else { "devices" };
        parts.push(format!("TUN {devices} {}", tuns.join(", ")));
    }
    parts.join(" and ")
}

pub(super) fn evidence(window: &Window<'_>, found: &Lost<'_>) -> Vec<Proof> {
    let candidates = found.candidates;
    let mut proofs = proof::drops(window, &found.tally);
    proofs.extend(signatures(candidates, candidates.lost()));
    proofs.extend(found.exceeded_mtu.map(|mtu| {
        let count = candidates.half_made().count();
        let what = format!("longer than the sender's MTU of {mtu} bytes");
        proof::of_drop(what, format!("{count} of {count} sampled"))
    }));
    proofs.extend(counters(window, candidates));
    let offloads = found.senders.iter().filter_map(|sender| {
        let is_on = sender.link?.tx_checksum_offload == Some(true);
        let what = format!("tx-checksumming of {}", name(sender));
        is_on.then(|| Proof::new(what, "on", "", "ethtool"))
    });
    proofs.extend(offloads);
    let named = found.forwarders.iter().take(MOST_NAMED);
    proofs.extend(named.map(|forwarder| {
        let process = say::process(forwarder.process.owner);
        Proof::new(
            process,
            holds(forwarder.process),
            "",
            "BPF iterator task_file",
        )
    }));
    proofs
}

/// The shape of the checksum field in the sampled packets of these keys.
fn signatures<'a>(
    candidates: &Candidates<'_>,
    keys: impl Iterator<Item = &'a Key<'a>>,
) -> Vec<Proof> {
    let judged = candidates::judged(keys);
    if judged == 0 {
        return Vec::new();
    }
    let line =
        |what: &str, count: usize| proof::of_drop(what, format!("{count} of {judged} sampled"));
    let half = "checksum field holds the pseudo-header's sum only";
    let translated = "it misses that sum by one value, whatever the packet's bytes are";
    let mut proofs = vec![line(half, candidates.pseudo_header.len())];
    if !candidates.translated.is_empty() {
        proofs.push(line(translated, candidates.translated.len()));
    }
    proofs
}

fn counters(window: &Window<'_>, candidates: &Candidates<'_>) -> Vec<Proof> {
    let here = candidates.netns.and_then(|netns| window.namespace(netns));
    let counters = [
        NamespaceCounter::TcpInCsumErrors,
        NamespaceCounter::UdpInCsumErrors,
        NamespaceCounter::Udp6InCsumErrors,
        NamespaceCounter::ConntrackInvalid,
    ];
    let rose = |namespace: &Namespace, counter: NamespaceCounter| {
        let has_risen = namespace.increase(counter.name())? > 0;
        proof::counter_rose(namespace, counter.name(), "").filter(|_| has_risen)
    };
    here.into_iter()
        .flat_map(|namespace| {
            counters
                .iter()
                .filter_map(move |counter| rose(namespace, *counter))
        })
        .collect()
}

pub(super) fn remedies(found: &Lost<'_>) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = found.senders.iter().filter_map(offload_off).collect();
    let program = found.responsible().map_or_else(
        || "the program on the path".to_owned(),
        |forwarder| say::process(forwarder.process.owner),
    );
    remedies.push(Remedy::advice(format!(
        "Fix {program}: read and write the frames with their virtio-net header (PACKET_VNET_HDR on a packet socket, \
         IFF_VNET_HDR on a TUN device), or fill the checksum in before sending."
    )));
    if found.senders.iter().all(|sender| sender.link.is_none()) {
        remedies.push(Remedy::advice(
            "Turn the sender's transmit checksum offload off where it runs (ethtool -K DEVICE tx off).",
        ));
    }
    remedies
}

fn offload_off(sender: &Sender<'_>) -> Option<Remedy> {
    let text = format!("Let the sender fill its checksums in: {}.", name(sender));
    offload::off(sender.namespace?, sender.link?, &text)
}

pub(super) fn uncounted(namespace: &Namespace) -> String {
    format!(
        "the protocol counters of {} could not be read (a process in it is needed): its drops are missing from the \
         ledger",
        say::namespace(namespace)
    )
}

pub(super) fn counted(counted: &Counted<'_>, assessment: &Assessment) -> Text {
    let segments = say::count(counted.tally.count, "segment");
    let place = say::place(&Subject::of_namespace(counted.namespace));
    Text {
        headline: format!("TCP dropped {segments} with a wrong checksum {place}"),
        what: "TCP drops a segment whose checksum is wrong. This kernel does so without an event (tcp_drop, before 5.17), so \
               that only the counter tells: whether the checksum was not filled in or bytes broke is not known."
            .to_owned(),
        hurts: format!(
            "{} were lost; TCP sends its own again.",
            say::part(assessment, "segment"),
        ),
    }
}

pub(super) fn counted_remedies(counted: &Counted<'_>) -> Vec<Remedy> {
    vec![Remedy::command_in(
        counted.namespace,
        "See which segments are marked `incorrect`. Where the wrong field is the same for all segments of one length, the \
         checksum was not filled in: find the program that passes them on. Else look for a faulty cable or device.",
        &["tcpdump", "-nvv", "-c", "100", "tcp"],
        &[],
    )]
}

pub(super) fn unseen(found: &Unseen<'_>) -> String {
    let count = say::count(found.count, "packet");
    let names: Vec<String> = found
        .namespaces
        .iter()
        .copied()
        .map(say::namespace)
        .collect();
    let places = match names.as_slice() {
        [] => String::new(),
        [first, others @ ..] => say::and_others(first, others.len(), "namespace"),
    };
    format!(
        "TCP found {count} with a wrong checksum in {places} that this kernel freed without an event (tcp_drop, before \
         5.17): whether not filled in or broken is not known"
    )
}
