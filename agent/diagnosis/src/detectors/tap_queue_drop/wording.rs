//! A full queue in words: whose, how long, what became of the packets, what ends it.

use std::net::IpAddr;

use super::{
    QUEUE_CHECK_RACE,
    queue::{Direction, FullQueue},
};
use crate::{
    evidence::{EvidenceWindow, Namespace, Owner, PacketSample},
    explained_retransmissions::Explained,
    finding::{Finding, Proof, Remedy, Text, counted_packets},
    packets::{
        flow::frequent_flows,
        ip::{IpPacket, TCP},
    },
};

/// As many flows, readers and senders as a person reads.
const SHOWN: usize = 3;

/// Shortest queue worth setting, packets: half a second of 2,000 packets a second.
const ENOUGH_LENGTH: u32 = 1_000;
/// From here on a longer queue only makes packets wait longer.
const LONG_QUEUE: u32 = 10_000;

pub(super) fn text(
    window: &EvidenceWindow,
    queue: &FullQueue<'_>,
    explained: Option<Explained>,
) -> Text {
    let readers = queue.readers(window);
    let name = &queue.link.name;
    let lost = counted_packets(queue.count);
    let length = queue.link.tx_queue_length;
    let reader = match readers.first() {
        Some(owner) => format!(" for {}", process(owner)),
        None => String::new(),
    };
    let (headline, what) = if queue.cause == QUEUE_CHECK_RACE {
        (
            format!("{name} dropped {lost}{reader}, perhaps while its queue of {length} had room"),
            race(&window.node.kernel, queue),
        )
    } else {
        (
            format!("{name} dropped {lost}{reader}: its queue of {length} was full"),
            explanation(queue, &readers),
        )
    };
    Text {
        headline,
        what,
        hurts: impact(explained, !retransmitting(window, queue).is_empty()),
    }
}

pub(super) fn describe(finding: &mut Finding, window: &EvidenceWindow, queue: &FullQueue<'_>) {
    let readers = queue.readers(window);
    // Not part of its identity: who reads may be started anew.
    finding.subject.process = readers.first().copied().map(process);
    let senders = retransmitting(window, queue);
    finding.evidence = proofs(window, queue);
    for (namespace, retransmitted) in &senders {
        let label = namespace.label();
        let at = |counter: &str| format!("{counter} of {label}, an end of the sampled flows");
        finding.evidence.push(Proof::new(
            at("Tcp.RetransSegs"),
            format!("+{retransmitted}"),
            "segments",
            "/proc/net/snmp",
        ));
        if let Some(timeouts) = namespace.increase("TcpExt.TCPTimeouts") {
            finding.evidence.push(Proof::new(
                at("TcpExt.TCPTimeouts"),
                format!("+{timeouts}"),
                "",
                "/proc/net/netstat",
            ));
        }
    }
    finding.details = details(window, queue, &readers);
    finding.remedies = remedies(queue, senders.first().map(|(sender, _)| *sender));
}

/// `qemu-system-x86 (pid 4711)`.
fn process(owner: &Owner) -> String {
    let comm = match owner.comm.as_str() {
        "" => "a process",
        comm => comm,
    };
    format!("{comm} (pid {})", owner.pid)
}

/// The same with the pod that it runs in.
fn process_and_pod(owner: &Owner) -> String {
    let process = process(owner);
    match (&owner.pod, &owner.container) {
        (Some(pod), Some(container)) => {
            format!(
                "{process} of pod {}/{}, container {container}",
                pod.namespace, pod.name
            )
        }
        (Some(pod), None) => format!("{process} of pod {}/{}", pod.namespace, pod.name),
        (None, _) => process,
    }
}

fn explanation(queue: &FullQueue<'_>, readers: &[&Owner]) -> String {
    let name = &queue.link.name;
    let who = match readers {
        [] => "The guest or program behind it (which process that is could not be told)".to_owned(),
        [owner] => process(owner),
        [first, rest @ ..] => format!("{} and {} more", process(first), rest.len()),
    };
    let way = match queue.direction {
        Direction::Receive => "What comes in for the guest",
        Direction::Transmit => "What the stack sends to it",
    };
    format!(
        "{way} waits in a queue of {} packets until it is read. {who} did not read {name} in time, the queue was full, \
         and the kernel dropped what came next. The reader is too slow or was stopped for a moment: no CPU time for it \
         or for the guest, or a burst longer than the queue.",
        queue.link.tx_queue_length
    )
}

fn race(kernel: &str, queue: &FullQueue<'_>) -> String {
    format!(
        "Before Linux 4.16 the kernel asks without a lock whether the queue of {name} is full, and can see a slot as taken \
         that is being emptied: then it drops though there is room. This node runs {kernel}. A queue that was really full \
         looks the same, so look first whether {name} still drops with a queue that is far longer than any burst.",
        name = queue.link.name,
    )
}

fn impact(explained: Option<Explained>, retransmitted: bool) -> String {
    let proof = match explained {
        Some(Explained {
            segments, late, of, ..
        }) => format!(
            "Drops here explain at least {segments} of {of} retransmissions on this node while netdiag watched them, \
             {late} of these 200 ms or more after the drop."
        ),
        None if retransmitted => {
            "An end of these flows on this node sent segments again meanwhile, likely because of these drops; netdiag \
             did not see which segment followed which drop."
                .to_owned()
        }
        None => "netdiag saw no end of the sampled flows on this node send TCP segments again; a sender elsewhere, or one \
                 whose counters could not be read, may have."
            .to_owned(),
    };
    format!(
        "These packets are lost. TCP sends them again: the last segments of an answer only after a timeout of 200 ms or \
         more, so that a few requests take that much longer while the rest is fast. {proof}"
    )
}

/// Namespaces of this node that hold an address of a sampled TCP packet and sent segments again, with how many: first
/// who sent what was dropped, then who received its answers.
fn retransmitting<'a>(
    window: &'a EvidenceWindow,
    queue: &FullQueue<'_>,
) -> Vec<(&'a Namespace, u64)> {
    let (sources, destinations): (Vec<IpAddr>, Vec<IpAddr>) = samples(window, queue)
        .filter_map(IpPacket::of_sample)
        .filter(|packet| packet.protocol == TCP)
        .map(|packet| (packet.source, packet.final_destination))
        .unzip();
    let holds = |namespace: &Namespace, ends: &[IpAddr]| {
        let mut addresses = namespace.addresses.iter();
        addresses.any(|address| ends.contains(&address.address))
    };
    let mut found: Vec<(&Namespace, u64)> = window
        .namespaces
        .iter()
        .filter(|namespace| holds(namespace, &sources) || holds(namespace, &destinations))
        .filter_map(|namespace| Some((namespace, namespace.increase("Tcp.RetransSegs")?)))
        .filter(|(_, count)| *count > 0)
        .collect();
    found.sort_by_key(|(namespace, _)| !holds(namespace, &sources));
    found.truncate(SHOWN);
    found
}

fn samples<'a>(
    window: &'a EvidenceWindow,
    queue: &FullQueue<'_>,
) -> impl Iterator<Item = &'a PacketSample> {
    let drops = queue.drops.clone();
    window.drops.value().into_iter().flat_map(move |all| {
        let of_queue = |sample: &&PacketSample| drops.contains(&sample.key);
        all.samples.iter().filter(of_queue).collect::<Vec<_>>()
    })
}

fn proofs(window: &EvidenceWindow, queue: &FullQueue<'_>) -> Vec<Proof> {
    let name = &queue.link.name;
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let mut proofs: Vec<Proof> = queue
        .drops
        .iter()
        .filter_map(|drop| counts.get(*drop))
        .map(|key| {
            let reason = key.reason.named().unwrap_or("dropped");
            let location = key
                .location
                .named()
                .unwrap_or("a function that could not be named");
            let what = format!("{reason} at {location}, dev {name}, {:#06x}", key.ethertype);
            Proof::new(what, key.count, "packets", "kfree_skb")
        })
        .collect();
    proofs.push(Proof::new(
        format!("{name} {}", queue.direction.counter()),
        format!("+{}", queue.direction.increase(queue.link)),
        "packets",
        "netlink",
    ));
    proofs.push(Proof::new(
        format!("queue length of {name}"),
        queue.link.tx_queue_length,
        "packets",
        "netlink",
    ));
    proofs
}

fn details(
    window: &EvidenceWindow,
    queue: &FullQueue<'_>,
    readers: &[&Owner],
) -> Vec<(&'static str, String)> {
    let shown = readers.iter().take(SHOWN);
    let mut details: Vec<_> = shown
        .map(|owner| ("Reader", process_and_pod(owner)))
        .collect();
    if readers.is_empty() {
        let why = match window.tun_holders.missing() {
            Some(reason) => format!("unknown ({reason})"),
            None => "unknown: no process that could be looked into has it open".to_owned(),
        };
        details.push(("Reader", why));
    }
    let flows = frequent_flows(samples(window, queue), SHOWN);
    details.extend(flows.into_iter().map(|flow| ("Flow", flow.to_string())));
    details
}

fn remedies(queue: &FullQueue<'_>, sender: Option<&Namespace>) -> Vec<Remedy> {
    let name = queue.link.name.as_str();
    let mut remedies = Vec::new();
    let length = queue.link.tx_queue_length;
    if length < LONG_QUEUE {
        let longer = length.saturating_mul(4).clamp(ENOUGH_LENGTH, LONG_QUEUE);
        let words = longer.to_string();
        let words = ["ip", "link", "set", "dev", name, "txqueuelen", &words];
        remedies.push(
            Remedy::command_in(queue.namespace, "Lengthen the queue.", &words, &[name]).with_effect(
                format!(
                    "At once, without a restart: each queue of the device holds {longer} packets instead of {length}. \
                     Packets wait through a stall instead of being lost, and take memory meanwhile."
                ),
            ),
        );
    }
    if queue.cause == QUEUE_CHECK_RACE {
        let text = "Where it still drops then: run a kernel from 4.16 on, which has no such check.";
        remedies.push(Remedy::advice(text));
    }
    remedies.push(Remedy::advice(
        "Let the reader keep up: CPU time for the guest and its vhost thread or for the program, more than one queue, \
         fewer packets.",
    ));
    let text = "See whether TCP waits for it, where the sender is: TCPTimeouts rises, and `ss -ti` shows retrans and an \
         rto of 200 or more. Answers that take 200 to 260 ms while most are quick come from this.";
    let look = ["nstat", "-azs", "TcpRetransSegs", "TcpExtTCPTimeouts"];
    remedies.push(match sender {
        Some(sender) => Remedy::command_in(sender, text, &look, &[]),
        None => Remedy::advice(text),
    });
    if queue.namespace.pod.is_some() {
        remedies.push(Remedy::advice(
            "A pod's device is made anew with the pod: set the length where the device is made.",
        ));
    }
    remedies
}
