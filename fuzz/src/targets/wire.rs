//! Packets of a neighbour or a pod, each as a sample of a dropped packet.

use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{
        Address, DropCount, Drops, Link, LinkStats, Namespace, NetnsId, Observed, PacketSample,
    },
    kernel::{Function, Reason},
};

const NODE: NetnsId = NetnsId(1);
const ETH_P_IP: u16 = 0x0800;
const ETH_P_LLDP: u16 = 0x88cc;

/// Places at which packets end, by the function and the reason that the kernel gives.
const ENDS: [(&str, &str); 8] = [
    ("__netif_receive_skb_core.constprop.0", "UNHANDLED_PROTO"),
    ("tcp_v4_rcv", "NO_SOCKET"),
    ("tcp_v4_rcv", "TCP_CSUM"),
    ("__udp4_lib_rcv", "UDP_CSUM"),
    ("ip_defrag", "DUP_FRAG"),
    ("nf_hook_slow", "NETFILTER_DROP"),
    ("tun_net_xmit", "FULL_RING"),
    ("ip_rcv_finish_core", "OTHERHOST"),
];

/// Five bytes choose place and form of the packet, the rest is the packet.
pub(crate) fn packet(bytes: &[u8]) -> Option<()> {
    let ([end, form, low, high, ethertype], packet) = bytes.split_first_chunk()?;
    let has_link_header = form & 1 == 0;
    let offset = |at: u8, bit: u8| (form & bit != 0).then_some(u16::from(at));
    let sample = PacketSample {
        length: u32::try_from(packet.len()).ok()?,
        truncated: form & 2 != 0,
        network_offset: offset(*low, 4),
        transport_offset: offset(*high, 8),
        has_link_header,
        ip_summed: form >> 4 & 3,
        packet_type: form >> 6,
        bytes: packet.to_vec(),
        ..PacketSample::default()
    };
    let ethertypes = [
        ETH_P_IP, 0x86dd, 0x0806, 0x8100, ETH_P_LLDP, 0x88e1, 0x0004, 0,
    ];
    let ethertype = ethertypes[usize::from(*ethertype) % ethertypes.len()];
    netdiag_agent::fuzzing::window(&window(usize::from(*end), ethertype, sample));
    Some(())
}

/// An LLDP frame to the nearest bridge.
pub(crate) fn lldp(bytes: &[u8]) -> Option<()> {
    let header = [
        &[1, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 9][..],
        &[0x88, 0xcc],
    ];
    announcement(&header.concat(), ETH_P_LLDP, bytes)
}

/// A CDP frame in LLC and SNAP.
pub(crate) fn cdp(bytes: &[u8]) -> Option<()> {
    let length = u16::try_from(bytes.len() + 8).ok()?.to_be_bytes();
    let header = [
        &[1, 0, 0x0c, 0xcc, 0xcc, 0xcc, 2, 0, 0, 0, 0, 9][..],
        &length,
        &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0],
    ];
    announcement(&header.concat(), 4, bytes)
}

fn announcement(header: &[u8], ethertype: u16, bytes: &[u8]) -> Option<()> {
    let bytes = [header, bytes].concat();
    let sample = PacketSample {
        length: u32::try_from(bytes.len()).ok()?,
        has_link_header: true,
        bytes,
        ..PacketSample::default()
    };
    netdiag_agent::fuzzing::window(&window(0, ethertype, sample));
    Some(())
}

fn window(end: usize, ethertype: u16, sample: PacketSample) -> EvidenceWindow {
    let (function, reason) = ENDS[end % ENDS.len()];
    let link = Link {
        netns: NODE,
        ifindex: 2,
        name: "eth0".to_owned(),
        address: Some("02:00:00:00:00:09".to_owned()),
        mtu: 1500,
        requested_flags: 0x1_1043,
        stats_before: Some(LinkStats::default()),
        stats: LinkStats {
            rx_packets: 1000,
            rx_dropped: 40,
            ..LinkStats::default()
        },
        ..Link::default()
    };
    let drops = Drops {
        backend: "tp_btf".to_owned(),
        has_reasons: true,
        has_locations: true,
        counts: vec![DropCount {
            netns: Some(NODE),
            ifindex: 2,
            ethertype,
            reason: Reason::from(reason),
            location: Function::from(function),
            count: 40,
            last_ms: 9_000,
            ..DropCount::default()
        }],
        samples: vec![sample],
    };
    EvidenceWindow {
        duration_ms: 10_000,
        namespaces: vec![Namespace {
            id: NODE,
            is_node: true,
            addresses: vec![Address {
                ifindex: 2,
                address: [10, 0, 0, 1].into(),
                prefix: 24,
            }],
            ..Namespace::default()
        }],
        links: Observed::Complete { value: vec![link] },
        drops: Observed::Complete { value: drops },
        ..EvidenceWindow::default()
    }
}
