//! A window as large as asked for, in which every check finds something.
//!
//! The node is made of units of eight links: a pod with a veth, a tap and a macvlan device, and around it what they are
//! connected to. Counts differ from each other, so that nothing folds by chance.

use std::net::{IpAddr, Ipv4Addr};

use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{
        Address, BondSettings, BridgePort, BridgeSettings, DropCount, Drops,
        ExplainedRetransmissions, FrameCopies, FrameCopy, KernelLogLine, Link, LinkKind, LinkStats,
        MacvlanSettings, Membership, MembershipKind, Namespace, NetnsId, Observed, OnDemand, Owner,
        PacketSample, PacketSocket, Peer, Pod, ProtocolHandler, Retransmissions, TunHolder,
    },
    kernel::{Reason, Site, site},
    uapi::{
        ethertype::{ETH_P_ALL, ETH_P_IP, ETH_P_LLDP},
        flags::{IFF_BROADCAST, IFF_MULTICAST, IFF_UP},
    },
};

const NODE: NetnsId = NetnsId(1);
const LINKS_A_UNIT: u32 = 8;
/// Ports of a bridge; the kernel allows 1,024.
const UNITS_A_BRIDGE: u32 = 64;
/// Samples that the drop probe takes of a key at first.
const SAMPLES_A_KEY: u32 = 4;

/// Indices of a unit's links, counted from its first.
const HOST_END: u32 = 0;
const POD_END: u32 = 1;
const TAP: u32 = 2;
const MACVLAN: u32 = 3;
const NIC: u32 = 4;
const VLAN: u32 = 5;
const MACVTAP: u32 = 6;
const SWITCH: u32 = 7;

/// A window with so many links and a quarter as many drop keys.
pub(crate) fn of(links: u32) -> EvidenceWindow {
    let units = links / LINKS_A_UNIT;
    let drops = drops(units);
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: (0..units).map(pod).chain([node(units)]).collect(),
        links: complete((0..units).flat_map(links_of).collect()),
        packet_sockets: complete((0..units).map(capture).collect()),
        tun_holders: complete((0..units).map(tap_holder).collect()),
        kernel_log: complete((0..units).map(log_line).collect()),
        frame_copies: ran(FrameCopies {
            compared: 1_000_000,
            copies: (0..units).map(|unit| frame_copy(unit, units)).collect(),
            ..FrameCopies::default()
        }),
        retransmissions: ran(Retransmissions {
            segments: 1_000_000,
            explained: drops.counts.iter().map(retransmitted).collect(),
            ..Retransmissions::default()
        }),
        drops: complete(drops),
        ..EvidenceWindow::default()
    }
}

fn complete<T>(value: T) -> Observed<T> {
    Observed::Complete { value }
}

fn ran<T>(value: T) -> OnDemand<T> {
    OnDemand::Ran {
        question: String::new(),
        from_ms: 0,
        until_ms: 30_000,
        value,
    }
}

/// The namespace of the unit's pod.
fn inside(unit: u32) -> NetnsId {
    NetnsId(10 + unit)
}

fn index(unit: u32, link: u32) -> u32 {
    2 + unit * LINKS_A_UNIT + link
}

fn address(unit: u32) -> Ipv4Addr {
    (0x0a00_0000 + unit).into()
}

fn owner(unit: u32) -> Owner {
    Owner {
        pid: 1_000 + unit,
        comm: "program".to_owned(),
        ..Owner::default()
    }
}

fn pod(unit: u32) -> Namespace {
    let counter = |name: &str, value| (name.to_owned(), value);
    Namespace {
        id: inside(unit),
        pid: Some(1_000 + unit),
        pod: Some(Pod {
            namespace: "shop".to_owned(),
            name: format!("cart-{unit}"),
            uid: unit.to_string(),
        }),
        addresses: vec![Address {
            ifindex: index(unit, POD_END),
            address: address(unit).into(),
            prefix: 24,
        }],
        protocol_handlers: Some(vec![ProtocolHandler {
            ethertype: Some(ETH_P_IP),
            device: None,
            function: String::new(),
        }]),
        counters_before: [counter("Tcp.InCsumErrors", 0)].into(),
        counters: [
            counter("Tcp.InCsumErrors", 20),
            counter("Ip.ReasmFails", 20),
            counter("Ip.ReasmTimeout", 20),
            counter("Tcp.RetransSegs", 20),
        ]
        .into(),
        ..Namespace::default()
    }
}

fn node(units: u32) -> Namespace {
    Namespace {
        id: NODE,
        is_node: true,
        pod: None,
        ..pod(units)
    }
}

fn links_of(unit: u32) -> [Link; 8] {
    let link = |netns, at: u32, name: &str, kind: Option<LinkKind>| Link {
        netns,
        ifindex: index(unit, at),
        name: format!("{name}{unit}"),
        kind,
        address: Some(format!(
            "02:00:00:{:02x}:{:02x}:{at:02x}",
            unit >> 8,
            unit & 0xff
        )),
        mtu: 1_500,
        requested_flags: IFF_UP | IFF_BROADCAST | IFF_MULTICAST,
        promiscuity: 1,
        promiscuity_before: Some(1),
        allmulti: Some(0),
        unicast_promiscuous: Some(false),
        driver: Some("ixgbe".to_owned()),
        stats_before: Some(LinkStats::default()),
        stats: LinkStats {
            rx_packets: 1_000_000,
            tx_packets: 1_000_000,
            rx_dropped: 50 + u64::from(unit % 7),
            tx_dropped: 50 + u64::from(unit % 5),
            rx_missed_errors: 1,
            ..LinkStats::default()
        },
        ..Link::default()
    };
    let over = |netns, at| {
        Some(Peer {
            ifindex: index(unit, at),
            netns: Some(netns),
        })
    };
    let switch = unit - unit % UNITS_A_BRIDGE;
    let is_bridge = (switch / UNITS_A_BRIDGE).is_multiple_of(2);
    let slave_kind = if is_bridge {
        LinkKind::Bridge
    } else {
        LinkKind::Bond
    };
    let enslaved = |link: Link| Link {
        master: Some(index(switch, SWITCH)),
        slave_kind: Some(slave_kind.clone()),
        bridge_port: is_bridge.then_some(BridgePort {
            learning: true,
            unicast_flood: true,
            state: 3,
            ..BridgePort::default()
        }),
        ..link
    };
    [
        enslaved(Link {
            mtu: 9_000,
            peer: over(inside(unit), POD_END),
            ..link(NODE, HOST_END, "veth", Some(LinkKind::Veth))
        }),
        Link {
            peer: over(NODE, HOST_END),
            ..link(inside(unit), POD_END, "eth", Some(LinkKind::Veth))
        },
        link(inside(unit), TAP, "tap", Some(LinkKind::Tun)),
        Link {
            peer: over(NODE, NIC),
            ..link(inside(unit), MACVLAN, "net", Some(LinkKind::MacVlan))
        },
        enslaved(link(NODE, NIC, "ens", None)),
        Link {
            peer: over(NODE, NIC),
            ..link(NODE, VLAN, "vlan", Some(LinkKind::Vlan))
        },
        Link {
            peer: over(NODE, NIC),
            macvlan: Some(MacvlanSettings {
                mode: "passthru".to_owned(),
                no_promiscuity: false,
            }),
            ..link(NODE, MACVTAP, "macvtap", Some(LinkKind::MacVtap))
        },
        match (unit == switch, is_bridge) {
            (false, _) => link(NODE, SWITCH, "dummy", Some(LinkKind::Dummy)),
            (true, true) => Link {
                bridge: Some(BridgeSettings {
                    vlan_filtering: true,
                    ..BridgeSettings::default()
                }),
                ..link(NODE, SWITCH, "br", Some(LinkKind::Bridge))
            },
            (true, false) => Link {
                bond: Some(BondSettings {
                    mode: "802.3ad".to_owned(),
                    active_slave: None,
                }),
                ..link(NODE, SWITCH, "bond", Some(LinkKind::Bond))
            },
        },
    ]
}

/// A program that captures on the unit's VLAN device.
fn capture(unit: u32) -> PacketSocket {
    let ifindex = index(unit, VLAN);
    PacketSocket {
        netns: NODE,
        owner: owner(unit),
        ethertype: ETH_P_ALL,
        ifindex,
        memberships: vec![Membership {
            ifindex,
            kind: MembershipKind::Promiscuous,
            count: 1,
        }],
        ..PacketSocket::default()
    }
}

/// The process that has the unit's tap open, half of them from the node's namespace.
fn tap_holder(unit: u32) -> TunHolder {
    TunHolder {
        device: format!("tap{unit}"),
        netns: if unit.is_multiple_of(2) {
            NODE
        } else {
            inside(unit)
        },
        owner: owner(unit),
    }
}

fn log_line(unit: u32) -> KernelLogLine {
    let text = if unit.is_multiple_of(2) {
        format!("vlan{unit}: left promiscuous mode")
    } else {
        format!("ixgbe 0000:03:00.0 ens{unit}: partial checksum but l4 proto=2b!")
    };
    KernelLogLine {
        at_ms: u64::from(unit),
        level: 4,
        text,
    }
}

/// Fragments that came in on this unit's NIC and on the next one's.
fn frame_copy(unit: u32, units: u32) -> FrameCopy {
    FrameCopy {
        netns: NODE,
        first: index(unit, NIC),
        second: index((unit + UNITS_A_BRIDGE) % units, NIC),
        ethertype: ETH_P_IP,
        source: Some(address(unit).into()),
        destination: Some(IpAddr::from([239, 1, 2, 3])),
        fragments: true,
        count: 20,
        longest_gap_us: 100,
    }
}

fn retransmitted(key: &DropCount) -> ExplainedRetransmissions {
    ExplainedRetransmissions {
        netns: key.netns,
        ifindex: key.ifindex,
        ethertype: key.ethertype,
        reason: key.reason.clone(),
        location: key.location.clone(),
        segments: 3,
        late: 1,
    }
}

/// Two keys a unit: one that a check explains, another at one of all sites.
fn drops(units: u32) -> Drops {
    let explained: [(&Site, Reason, u16, u32); 8] = [
        (
            &site::NETIF_RECEIVE_SKB_CORE,
            Reason::UNHANDLED_PROTO,
            ETH_P_LLDP,
            NIC,
        ),
        (
            &site::NETIF_RECEIVE_SKB_CORE,
            Reason::UNHANDLED_PROTO,
            ETH_P_LLDP,
            POD_END,
        ),
        (&site::TUN_NET_XMIT, Reason::FULL_RING, ETH_P_IP, TAP),
        (
            &site::DEV_FORWARD_SKB,
            Reason::NOT_SPECIFIED,
            ETH_P_IP,
            HOST_END,
        ),
        (&site::TCP_V4_RCV, Reason::TCP_CSUM, ETH_P_IP, POD_END),
        (&site::IP_DEFRAG, Reason::DUP_FRAG, ETH_P_IP, NIC),
        (
            &site::ENQUEUE_TO_BACKLOG,
            Reason::CPU_BACKLOG,
            ETH_P_IP,
            POD_END,
        ),
        (
            &site::TAP_HANDLE_FRAME,
            Reason::FULL_RING,
            ETH_P_IP,
            MACVTAP,
        ),
    ];
    let sites: Vec<&Site> = Site::all().collect();
    let mut drops = Drops {
        has_reasons: true,
        has_locations: true,
        ..Drops::default()
    };
    for ((unit, (site, reason, ethertype, link)), other) in (0..units)
        .zip(explained.iter().cycle())
        .zip(sites.iter().copied().cycle())
    {
        add(&mut drops, unit, (site, reason, *ethertype, *link));
        add(
            &mut drops,
            unit,
            (other, &Reason::NOT_SPECIFIED, ETH_P_IP, VLAN),
        );
    }
    drops
}

fn add(drops: &mut Drops, unit: u32, (site, reason, ethertype, link): (&Site, &Reason, u16, u32)) {
    let is_inside = matches!(link, POD_END | TAP | MACVLAN);
    let count = 40 + u64::from(unit % 9);
    let key = drops.counts.len();
    drops.counts.push(DropCount {
        netns: Some(if is_inside { inside(unit) } else { NODE }),
        ifindex: index(unit, link),
        ethertype,
        reason: reason.clone(),
        location: site.to_string().into(),
        at_least: count,
        count,
        first_ms: 1_000,
        last_ms: 30_000,
    });
    let is_ip = ethertype == ETH_P_IP;
    drops
        .samples
        .extend((0..SAMPLES_A_KEY).map(|nth| PacketSample {
            key,
            at_ms: 1_000,
            length: 9_014,
            truncated: true,
            network_offset: Some(14),
            transport_offset: Some(34),
            has_link_header: true,
            packet_type: 2,
            bytes: if is_ip {
                segment(unit, nth)
            } else {
                announcement(unit)
            },
            ..PacketSample::default()
        }));
}

/// A TCP segment whose checksum is not right.
fn segment(unit: u32, nth: u32) -> Vec<u8> {
    let mut bytes = vec![0x02; 12];
    bytes.extend([0x08, 0x00, 0x45, 0, 0x23, 0x28, 0, 1, 0x40, 0, 64, 6, 0, 0]);
    bytes.extend(address(unit + 1).octets());
    bytes.extend(address(unit).octets());
    bytes.extend([0x1f, 0x90, 0x1f, 0x91]);
    bytes.extend(nth.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0x12, 0x34, 0, 0]);
    bytes
}

/// An LLDP frame that names a switch.
fn announcement(unit: u32) -> Vec<u8> {
    let mut bytes = vec![0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc];
    bytes.extend([2, 7, 4, 2, 0, 0, 0, 0, 1, 4, 2, 5, b'1', 6, 2, 0, 120]);
    let name = format!("leaf-{:04}", unit % 10_000);
    bytes.extend([10, 9]);
    bytes.extend(name.bytes());
    bytes.extend([0, 0]);
    bytes
}
