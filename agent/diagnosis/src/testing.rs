//! Evidence that the tests of several detectors begin with, and how they look at what was found.

use std::net::IpAddr;

use crate::{
    Diagnosis, EvidenceWindow,
    causes::Mechanism,
    evidence::{
        DropCount, Drops, InetSocket, Link, LinkKind, Missing, Namespace, NetnsId, Observed, Owner,
        PacketSample, PacketSocket, Peer, Pod, SocketQueues,
    },
    finding::{
        Assessment, Claim, Culprit, Finding, Harm, Outcome, Severity, Subject, Text, Verdict,
    },
    uapi::{
        ethertype::{ETH_P_ALL, ETH_P_IP},
        flags::{IFF_BROADCAST, IFF_MULTICAST, IFF_UP},
    },
};

/// The node's own namespace.
pub(crate) const NODE: NetnsId = NetnsId(1);
/// A pod's namespace.
pub(crate) const POD: NetnsId = NetnsId(2);

pub(crate) fn complete<T>(value: T) -> Observed<T> {
    Observed::Complete { value }
}

pub(crate) fn unavailable<T>(reason: &str) -> Observed<T> {
    Observed::unavailable(Missing::failed(reason))
}

/// 35 s on a node with one pod, shop/cart-0, whose namespace is entered by pid 4711.
pub(crate) fn window(links: Vec<Link>, counts: Vec<DropCount>) -> EvidenceWindow {
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: vec![
            node_namespace(NODE),
            pod_namespace(POD, 4711, "shop", "cart-0"),
        ],
        links: complete(links),
        drops: complete(looked_at(named_drops(counts))),
        ..EvidenceWindow::default()
    }
}

/// The same drops with packets of each key that say nothing.
fn looked_at(mut drops: Drops) -> Drops {
    let keys = 0..drops.counts.len();
    let blank = |key| PacketSample {
        key,
        ..PacketSample::default()
    };
    drops.samples = keys.flat_map(|key| vec![blank(key); 4]).collect();
    drops
}

pub(crate) fn node_namespace(id: NetnsId) -> Namespace {
    Namespace {
        id,
        is_node: true,
        ..Namespace::default()
    }
}

/// The namespace of a pod, with a process in it.
pub(crate) fn pod_namespace(id: NetnsId, pid: u32, namespace: &str, name: &str) -> Namespace {
    Namespace {
        id,
        pid: Some(pid),
        pod: Some(Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: "u".to_owned(),
        }),
        ..Namespace::default()
    }
}

pub(crate) fn link(netns: NetnsId, ifindex: u32, name: &str) -> Link {
    Link {
        netns,
        ifindex,
        name: name.to_owned(),
        ..Link::default()
    }
}

/// The link as one end of a veth; `peer` is the namespace and the index of the other.
pub(crate) fn veth(link: Link, peer: (NetnsId, u32)) -> Link {
    Link {
        kind: Some(LinkKind::Veth),
        peer: Some(Peer {
            netns: Some(peer.0),
            ifindex: peer.1,
        }),
        ..link
    }
}

/// A device of the node as netlink and BPF show it while nobody wants more than its own frames.
pub(crate) fn unpromiscuous(ifindex: u32, name: &str, kind: Option<&str>) -> Link {
    Link {
        kind: kind.map(LinkKind::from),
        requested_flags: IFF_UP | IFF_BROADCAST | IFF_MULTICAST,
        allmulti: Some(0),
        promiscuity_before: Some(0),
        unicast_promiscuous: Some(false),
        ..link(NODE, ifindex, name)
    }
}

pub(crate) fn owner(pid: u32, comm: &str) -> Owner {
    Owner {
        pid,
        comm: comm.to_owned(),
        ..Owner::default()
    }
}

/// A listener on port 80 of each address, with a backlog of 128, whose queue is empty.
pub(crate) fn listener(netns: NetnsId, owner: Owner) -> InetSocket {
    InetSocket {
        netns,
        owner,
        protocol: 6,
        is_listening: true,
        address: IpAddr::from([0, 0, 0, 0]),
        port: 80,
        is_v6_only: false,
        ifindex: 0,
        accept_limit: 128,
        receive_buffer: 131_072,
        before: Some(SocketQueues::default()),
        after: SocketQueues::default(),
    }
}

/// A socket of the node for every protocol (ETH_P_ALL) on one device.
pub(crate) fn packet_socket(owner: Owner, ifindex: u32) -> PacketSocket {
    PacketSocket {
        netns: NODE,
        owner,
        ethertype: ETH_P_ALL,
        ifindex,
        memberships: Vec::new(),
        ..PacketSocket::default()
    }
}

/// Drops on a kernel that names reasons and functions.
pub(crate) fn named_drops(counts: Vec<DropCount>) -> Drops {
    Drops {
        has_reasons: true,
        has_locations: true,
        counts,
        ..Drops::default()
    }
}

/// Dropped IPv4 packets, all of them surely within the window.
pub(crate) fn ipv4_drops(
    netns: NetnsId,
    ifindex: u32,
    reason: &str,
    location: &str,
    count: u64,
) -> DropCount {
    DropCount {
        netns: Some(netns),
        ifindex,
        ethertype: ETH_P_IP,
        reason: reason.into(),
        location: location.into(),
        at_least: count,
        count,
        ..DropCount::default()
    }
}

/// The drops of a window that has them, to change.
pub(crate) fn drops_of(window: &mut EvidenceWindow) -> &mut Drops {
    match &mut window.drops {
        Observed::Complete { value } => value,
        other => panic!("drops: {other:?}"),
    }
}

/// The links of a window that has them, to change.
pub(crate) fn links_of(window: &mut EvidenceWindow) -> &mut Vec<Link> {
    match &mut window.links {
        Observed::Complete { value } => value,
        other => panic!("links: {other:?}"),
    }
}

/// A sampled IPv4 packet of 10.0.0.1 with this protocol, destination and payload.
pub(crate) fn ipv4_sample(protocol: u8, destination: [u8; 4], rest: &[u8]) -> PacketSample {
    let length = u8::try_from(20 + rest.len()).expect("short");
    let mut bytes = vec![
        0x45, 0, 0, length, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1,
    ];
    bytes.extend(destination);
    bytes.extend(rest);
    PacketSample {
        bytes,
        ..PacketSample::default()
    }
}

/// Sentences of a finding whose words do not matter.
pub(crate) fn text() -> Text {
    Text {
        headline: "packets are lost".to_owned(),
        what: "A queue is full.".to_owned(),
        hurts: "Everybody.".to_owned(),
    }
}

/// An assessment that gives this severity.
pub(crate) fn assessed(severity: Severity) -> Assessment {
    match severity {
        Severity::Info => Assessment::none(),
        Severity::Warning => Assessment::of(Harm::Loss),
        Severity::Critical => Assessment::of(Harm::Outage).by(Culprit::Here),
    }
}

/// The outcome of an earlier check that explains the first drop key.
pub(crate) fn first_drop_claimed() -> Outcome {
    let explained = Finding::new(
        Mechanism::Kernel("Cause".to_owned()),
        Assessment::none(),
        Subject::default(),
        text(),
    );
    Outcome {
        claims: [Claim {
            drop: 0,
            verdict: Verdict::Harmful,
            protocol: None,
            finding: Some(explained.id),
        }]
        .into_iter()
        .collect(),
        ..Outcome::default()
    }
}

/// The one finding of an outcome.
pub(crate) fn only(outcome: &Outcome) -> &Finding {
    match &outcome.findings[..] {
        [finding] => finding,
        other => panic!("one finding: {other:?}"),
    }
}

/// Name and value of every proof.
pub(crate) fn proofs(finding: &Finding) -> Vec<(&str, &str)> {
    finding
        .evidence
        .iter()
        .map(|proof| (proof.name.as_str(), proof.value.as_str()))
        .collect()
}

/// Of every ledger entry: interface, counter, increase, the first explanation's count, and what is unexplained.
pub(crate) fn ledger(diagnosis: &Diagnosis) -> Vec<(Option<&str>, &str, u64, u64, u64)> {
    diagnosis
        .ledger
        .iter()
        .map(|entry| {
            (
                entry.interface.as_deref(),
                entry.counter,
                entry.increase,
                entry.explained[0].count,
                entry.unexplained,
            )
        })
        .collect()
}
