//! The facts that sampled packets show: whom they were for, and which part of a conversation they are.

use std::net::IpAddr;

pub(crate) use crate::evidence::is_within;
use crate::{
    evidence::{Link, Namespace, PacketSample},
    packets::{
        frame::{Frame, Mac},
        ip::{ICMP, ICMPV6, IpPacket},
    },
};

/// `skb->pkt_type` of a packet to everybody, to a group and to another host.
const TO_EVERYBODY: u8 = 1;
const TO_A_GROUP: u8 = 2;
const TO_ANOTHER_HOST: u8 = 3;

const IGMP: u8 = 2;
/// Echo replies of ICMP and ICMPv6.
const ECHO_REPLIES: [(u8, u8); 2] = [(ICMP, 0), (ICMPV6, 129)];
/// ICMPv6 messages that the kernel sends by itself when a device comes up: multicast listener reports, router
/// solicitations, neighbour solicitations.
const ANNOUNCEMENTS: [u8; 6] = [130, 131, 132, 133, 135, 143];

/// A property of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was for everybody or for a group.
    Group,
    /// It was for a group that no router forwards.
    LinkLocalGroup,
    /// The kernel's own message to a link-local group when a device comes up.
    Announcement,
    /// It was for another host: the device took it only because it is promiscuous or its switch flooded it.
    OtherHost,
    /// It was for nobody's single address on this device: for a group or another host.
    NotForUs,
    /// An echo reply.
    EchoReply,
    /// A TCP segment that carries no data and opens no connection.
    BareSegment,
    /// A TCP segment that opens a connection.
    Syn,
}

impl Seen {
    /// The sampled packet is so. A packet that cannot be read is nothing.
    pub(crate) fn is(self, sample: &PacketSample, around: Around<'_>) -> bool {
        let packet = IpPacket::of_sample(sample);
        let segment = packet.as_ref().and_then(IpPacket::segment);
        match self {
            Self::Group => is_for_group(sample, around) == Some(true),
            Self::LinkLocalGroup => is_link_local(sample),
            Self::Announcement => packet.is_some_and(|packet| is_announcement(&packet)),
            Self::OtherHost => sample.packet_type == TO_ANOTHER_HOST,
            Self::NotForUs => {
                sample.packet_type == TO_ANOTHER_HOST || Self::Group.is(sample, around)
            }
            Self::EchoReply => packet.is_some_and(|packet| {
                let kind = packet.transport_bytes.first();
                kind.is_some_and(|kind| ECHO_REPLIES.contains(&(packet.protocol, *kind)))
            }),
            Self::BareSegment => {
                segment.is_some_and(|segment| !segment.is_syn && !segment.has_payload)
            }
            Self::Syn => segment.is_some_and(|segment| segment.is_syn),
        }
    }
}

/// The place where a packet was dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Around<'a> {
    pub(crate) namespace: Option<&'a Namespace>,
    pub(crate) link: Option<&'a Link>,
}

impl<'a> Around<'a> {
    /// This device of this namespace.
    pub(crate) fn of(namespace: &'a Namespace, link: &'a Link) -> Self {
        Self {
            namespace: Some(namespace),
            link: Some(link),
        }
    }

    /// The device's own addresses.
    pub(crate) fn prefixes(self) -> impl Iterator<Item = (IpAddr, u8)> {
        let ifindex = self.link.map(|link| link.ifindex);
        let addresses = self.namespace.into_iter().flat_map(|own| &own.addresses);
        addresses
            .filter(move |own| Some(own.ifindex) == ifindex)
            .map(|own| (own.address, own.prefix))
    }
}

/// The packet was for everybody or a group; `None` where the sample does not tell.
pub(crate) fn is_for_group(sample: &PacketSample, around: Around<'_>) -> Option<bool> {
    if [TO_EVERYBODY, TO_A_GROUP].contains(&sample.packet_type) {
        return Some(true);
    }
    let frame = sample.has_link_header.then(|| Frame::decode(&sample.bytes));
    let frame = frame.flatten();
    let packet = IpPacket::of_sample(sample);
    if frame.is_none() && packet.is_none() {
        return None;
    }
    let to_group = frame.is_some_and(|frame| frame.destination.is_multicast());
    let address = packet.map(|packet| packet.destination);
    Some(to_group || address.is_some_and(|address| is_group(address, around)))
}

fn is_group(address: IpAddr, around: Around<'_>) -> bool {
    match address {
        IpAddr::V6(address) => address.is_multicast(),
        IpAddr::V4(address) if address.is_multicast() || address.is_broadcast() => true,
        IpAddr::V4(_) => around.prefixes().any(|(own, prefix)| {
            prefix < 31 && is_within(address, own, prefix) && is_last(address, prefix)
        }),
    }
}

/// The last address of its prefix: the broadcast address.
fn is_last(address: IpAddr, prefix: u8) -> bool {
    let IpAddr::V4(address) = address else {
        return false;
    };
    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or_default();
    u32::from(address) & host == host
}

fn is_link_local(sample: &PacketSample) -> bool {
    match IpPacket::of_sample(sample).map(|packet| packet.destination) {
        Some(IpAddr::V4(address)) => address.octets()[..3] == [224, 0, 0],
        // ff01 stays on the host, ff02 on the link.
        Some(IpAddr::V6(address)) => {
            address.is_multicast() && [1, 2].contains(&(address.segments()[0] & 0xf))
        }
        None => {
            let frame = sample.has_link_header.then(|| Frame::decode(&sample.bytes));
            let destination = frame.flatten().map(|frame| frame.destination);
            destination.is_some_and(Mac::is_link_local)
        }
    }
}

fn is_announcement(packet: &IpPacket<'_>) -> bool {
    match packet.destination {
        IpAddr::V4(address) => packet.protocol == IGMP && address.is_multicast(),
        IpAddr::V6(address) => {
            let kind = packet.transport_bytes.first();
            address.is_multicast()
                && packet.protocol == ICMPV6
                && kind.is_some_and(|kind| ANNOUNCEMENTS.contains(kind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Around, Seen, is_for_group};
    use crate::{
        evidence::{Address, Link, Namespace, PacketSample},
        testing::{NODE, ipv4_sample as ipv4, link, node_namespace},
    };

    fn ipv6(destination: [u8; 16], kind: u8) -> PacketSample {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 8, 58, 1];
        bytes.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend(destination);
        bytes.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
        PacketSample {
            bytes,
            ..PacketSample::default()
        }
    }

    const ALL_ROUTERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    const WIDE_GROUP: [u8; 16] = [0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    fn place() -> (Namespace, Link) {
        let namespace = Namespace {
            addresses: vec![Address {
                ifindex: 2,
                address: [10, 0, 0, 254].into(),
                prefix: 24,
            }],
            ..node_namespace(NODE)
        };
        (namespace, link(NODE, 2, "eth0"))
    }

    #[test]
    fn a_subnets_broadcast_is_known_by_the_devices_prefix() {
        let (namespace, link) = place();
        let around = Around {
            namespace: Some(&namespace),
            link: Some(&link),
        };
        let to = |last| is_for_group(&ipv4(17, [10, 0, 0, last], &[]), around);
        assert_eq!((to(255), to(254)), (Some(true), Some(false)));
        let elsewhere = ipv4(17, [10, 0, 1, 255], &[]);
        assert_eq!(is_for_group(&elsewhere, around), Some(false));
        assert_eq!(is_for_group(&PacketSample::default(), around), None);
    }

    #[test]
    fn link_local_groups_and_announcements_are_told_from_wider_ones() {
        let is = |seen: Seen, sample| seen.is(&sample, Around::default());
        let announced = ipv6(ALL_ROUTERS, 133);
        assert!(is(Seen::LinkLocalGroup, announced.clone()));
        assert!(is(Seen::Announcement, announced));
        assert!(!is(Seen::Announcement, ipv6(ALL_ROUTERS, 128)));
        assert!(!is(Seen::LinkLocalGroup, ipv6(WIDE_GROUP, 133)));
        assert!(is(Seen::Group, ipv6(WIDE_GROUP, 128)));
        // OSPF's routers are on the link, and no kernel's own message.
        let ospf = ipv4(89, [224, 0, 0, 5], &[]);
        assert!(is(Seen::LinkLocalGroup, ospf.clone()));
        assert!(!is(Seen::Announcement, ospf));
    }

    #[test]
    fn segments_are_told_by_their_flags_and_their_data() {
        let segment = |flags: u8, data: &[u8]| {
            let mut bytes = vec![0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags];
            bytes.extend([0; 6]);
            bytes.extend(data);
            ipv4(6, [10, 0, 0, 2], &bytes)
        };
        let is = |seen: Seen, sample| seen.is(&sample, Around::default());
        assert!(is(Seen::BareSegment, segment(17, b"")));
        assert!(!is(Seen::BareSegment, segment(16, b"x")));
        assert!(!is(Seen::BareSegment, segment(2, b"")));
        assert!(is(Seen::Syn, segment(2, b"")));
        assert!(is(Seen::EchoReply, ipv4(1, [10, 0, 0, 2], &[0, 0, 0, 0])));
        assert!(!is(Seen::EchoReply, ipv4(1, [10, 0, 0, 2], &[8, 0, 0, 0])));
    }
}
