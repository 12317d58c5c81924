//! Frames without a receiver as they were measured, and their look-alikes.

mod harm;
mod reading;
mod remedies;
mod waiting;

use super::*;
use crate::{
    Window,
    causes::UNHANDLED_PROTOCOL,
    detectors::promiscuity::Promiscuity,
    evidence::{
        BondSettings, BondSlave, BridgeSettings, DropCount, Drops, EvidenceWindow, Link, LinkStats,
        MacvlanSettings, Namespace, NetnsId, PacketSample, Peer, ProtocolHandler, VlanSettings,
    },
    finding::{Confidence, Harm, Severity, Verdict},
    packets::{cdp, lldp},
    testing::{
        NODE, complete, drops_of, ipv4_drops, named_drops, node_namespace, proofs, unavailable,
        unpromiscuous,
    },
    uapi::ethertype::ETH_P_802_2,
};

const LLDP_GROUP: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
const BROADCAST: [u8; 6] = [0xff; 6];
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 0x11];
const SWITCH: [u8; 6] = [0x2c, 0xdd, 0xe9, 1, 0x3a, 0x10];

fn device(ifindex: u32, name: &str, kind: Option<&str>) -> Link {
    Link {
        address: Some("02:00:00:00:00:11".to_owned()),
        stats_before: Some(LinkStats::default()),
        ..unpromiscuous(ifindex, name, kind)
    }
}

fn slave_of(mut link: Link, master: u32, kind: &str) -> Link {
    link.master = Some(master);
    link.slave_kind = Some(kind.into());
    link
}

fn promiscuous(mut link: Link) -> Link {
    link.promiscuity = 1;
    link.promiscuity_before = Some(1);
    link.allmulti = Some(1);
    link
}

fn bridge() -> Link {
    let mut link = device(9, "br0", Some("bridge"));
    link.bridge = Some(BridgeSettings::default());
    link
}

fn frame(destination: [u8; 6], rest: &[u8]) -> Vec<u8> {
    [&destination[..], &SWITCH[..], rest].concat()
}

fn lldp_frame(system: &str) -> Vec<u8> {
    let announcement = lldp::tests::announcement(SWITCH, "Ethernet17", system);
    frame(LLDP_GROUP, &[&[0x88, 0xcc], &announcement[..]].concat())
}

/// One drop key with the samples of its frames.
struct Dropped {
    ifindex: u32,
    ethertype: u16,
    count: u64,
    reason: &'static str,
    location: &'static str,
    frames: Vec<(u8, Vec<u8>)>,
}

/// Frames that a device dropped; `packet_type` as the kernel has it: 0 host, 1 broadcast, 2 multicast, 3 other host.
fn dropped(ifindex: u32, ethertype: u16, packet_type: u8, frames: &[Vec<u8>]) -> Dropped {
    Dropped {
        ifindex,
        ethertype,
        count: 20,
        reason: "UNHANDLED_PROTO",
        location: "__netif_receive_skb_core",
        frames: frames
            .iter()
            .map(|bytes| (packet_type, bytes.clone()))
            .collect(),
    }
}

fn window(links: Vec<Link>, dropped: Vec<Dropped>) -> EvidenceWindow {
    let mut drops = Drops {
        backend: "tp_btf".to_owned(),
        ..named_drops(Vec::new())
    };
    for (key, drop) in dropped.into_iter().enumerate() {
        drops.counts.push(DropCount {
            ethertype: drop.ethertype,
            first_ms: 10,
            last_ms: 30_010,
            ..ipv4_drops(NODE, drop.ifindex, drop.reason, drop.location, drop.count)
        });
        drops.samples.extend(
            drop.frames
                .into_iter()
                .map(|(packet_type, bytes)| PacketSample {
                    key,
                    packet_type,
                    has_link_header: true,
                    network_offset: Some(14),
                    skb_iif: drop.ifindex,
                    bytes,
                    ..PacketSample::default()
                }),
        );
    }
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: vec![Namespace {
            protocol_handlers: Some(Vec::new()),
            ..node_namespace(NODE)
        }],
        links: complete(links),
        drops: complete(drops),
        packet_sockets: complete(Vec::new()),
        ..EvidenceWindow::default()
    }
}

/// The conclusions of both detectors, one after the other.
fn diagnose(window: &EvidenceWindow) -> Outcome {
    let mut outcome = Promiscuity.diagnose(&Window::of(window), &Outcome::default());
    let found = UnhandledProtocol.diagnose(&Window::of(window), &outcome);
    for finding in &found.findings {
        let length = finding.text.headline.chars().count();
        assert!(length <= 100, "{length} columns: {}", finding.text.headline);
    }
    outcome.extend(found);
    outcome
}

fn only(outcome: &Outcome) -> &Finding {
    let mut found = outcome
        .findings
        .iter()
        .filter(|finding| *finding.check() == UNHANDLED_PROTOCOL);
    let first = found.next().expect("a finding");
    assert!(found.next().is_none());
    first
}

fn causes(outcome: &Outcome) -> Vec<&str> {
    only(outcome)
        .caused_by
        .iter()
        .map(|id| id.as_str())
        .collect()
}

fn bridged_bond(mode: &str) -> Vec<Link> {
    let mut bond = slave_of(promiscuous(device(4, "bond0", Some("bond"))), 9, "bridge");
    bond.bond = Some(BondSettings {
        mode: mode.to_owned(),
        active_slave: None,
    });
    bond.stats.rx_dropped = 20;
    vec![
        slave_of(promiscuous(device(2, "eth0", None)), 4, "bond"),
        slave_of(promiscuous(device(3, "eth1", None)), 4, "bond"),
        bond,
        bridge(),
    ]
}

#[test]
fn a_broken_version_of_ip_is_no_want_of_a_receiver() {
    let nic = || vec![device(2, "eth0", None)];
    let unknown = || dropped(2, 0x88b5, 0, &[vec![0; 60]]);
    let broken = Dropped {
        ethertype: 0x86dd,
        location: "ip6_rcv_core",
        ..unknown()
    };
    let outcome = diagnose(&window(nic(), vec![broken]));
    assert_eq!(outcome.findings, []);
    assert_eq!(diagnose(&window(nic(), vec![unknown()])).findings.len(), 1);
}
