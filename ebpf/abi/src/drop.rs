//! The key by which the `drop` probe counts, and the samples that it takes.

use crate::plain::plain;

plain!(CacheSlot, DropKey, DropLayout, KeySamples, Share, ShareKey);

/// Most keys that are counted apart at one time; further ones share [`OVERFLOW`].
pub const MAX_KEYS: u32 = 4096;

/// The last numbers, which only drops with a reason of their own and a known protocol get.
pub const RESERVED_KEYS: u32 = 1024;

/// Most keys of one device. Those without a device share as much.
pub const KEYS_PER_DEVICE: u32 = 128;

/// Most keys of one namespace.
pub const KEYS_PER_NAMESPACE: u32 = 512;

/// Most keys of the node's own namespace, which has a device for each pod.
pub const KEYS_PER_NODE_NAMESPACE: u32 = 2560;

/// EtherTypes and subtypes of a device that are counted apart without being known; further ones share
/// [`FURTHER_TYPES`].
pub const UNKNOWN_TYPES_PER_DEVICE: u32 = 8;

/// [`DropKey::protocol`] of further unknown EtherTypes of a device. 0xffff is reserved (RFC 1701), so that no protocol
/// has this number.
pub const FURTHER_TYPES: u16 = 0xffff;

/// Devices and namespaces whose keys are numbered.
pub const MAX_SHARES: u32 = 4096;

/// [`ShareKey::ifindex`] of a namespace as a whole.
pub const WHOLE_NAMESPACE: u32 = u32::MAX;

/// Index of the counter for drops whose key found no room.
pub const OVERFLOW: u32 = 0;

/// Slots of each CPU's cache of recent keys. A power of two.
pub const CACHE_SLOTS: u32 = 256;

/// Size of the ring that samples go through, in bytes: about 1,300 ordinary ones.
pub const RING_BYTES: u32 = 256 * 1024;

/// The first samples of a key are taken at once, up to this many on the whole node.
pub const FIRST_SAMPLES: u32 = 4;

/// Slots by flow of a key. After the first samples, the first two packets of each slot are sampled, so that a flow that
/// dies seldom is seen beside a loud one. The bits of a `u64`.
pub const FLOW_SLOTS: u32 = u64::BITS;

/// One of so many drops of a key on one CPU has its headers read where the kernel has computed no flow hash. A power of
/// two.
pub const HEADERS_EVERY: u64 = 64;

/// After that, one of so many drops of a key on one CPU is sampled. A power of two.
pub const SAMPLE_EVERY: u64 = 1024;

/// Bytes of the ring that samples by flow leave free for the first samples of other keys.
pub const RING_FOR_FIRST: u32 = RING_BYTES / 4;

/// Bytes of the ring that later samples leave free.
pub const RING_FOR_FLOWS: u32 = RING_BYTES / 2;

/// A key that found the ring full tries again with one of so many drops, from this number of drops on. A power of two.
pub const RETRY_EVERY: u64 = 64;

/// Bytes of a packet that a sample holds.
pub const SAMPLE_BYTES: usize = 128;

/// The same for protocols whose content is the diagnosis: LLDP and 802.2 (CDP), which carry text far inside.
pub const LONG_SAMPLE_BYTES: usize = 512;

/// Bytes of a device's name (IFNAMSIZ), in words, which a program sets without a loop.
pub type DeviceName = [u64; 2];

/// Offset of a header that the kernel had not set.
pub const ABSENT: u16 = u16::MAX;

/// The key by which drops are counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DropKey {
    /// `net->net_cookie`, or the address of the `struct net` where the kernel gives no cookie at creation.
    pub net: u64,
    /// Return address of the call that freed the packet.
    pub location: u64,
    /// `net->ns.inum`, the number of the namespace's nsfs file.
    pub inum: u32,
    /// Index of the device in that namespace.
    pub ifindex: u32,
    /// `enum skb_drop_reason`; 0 where the kernel gives no reason.
    pub reason: u32,
    /// `skb->protocol` in host order.
    pub protocol: u16,
    /// The source of `net` and `ifindex`: one of the `origin` constants.
    pub origin: u8,
    /// The number that tells protocols of one `protocol` apart: the subtype of a slow protocol, a mix of the numbers in
    /// an 802.2 header. 0 for every other protocol.
    pub subtype: u8,
}

impl DropKey {
    /// The key in as few words as it fits, to be compared fast.
    #[inline(always)]
    pub const fn to_words(self) -> [u64; 4] {
        [
            self.net,
            self.location,
            self.inum as u64 | (self.ifindex as u64) << 32,
            self.reason as u64
                | (self.protocol as u64) << 32
                | (self.origin as u64) << 48
                | (self.subtype as u64) << 56,
        ]
    }

    /// The reverse of [`DropKey::to_words`].
    #[inline(always)]
    pub const fn from_words(words: [u64; 4]) -> Self {
        let [net, location, place, event] = words;
        Self {
            net,
            location,
            inum: place as u32,
            ifindex: (place >> 32) as u32,
            reason: event as u32,
            protocol: (event >> 32) as u16,
            origin: (event >> 48) as u8,
            subtype: (event >> 56) as u8,
        }
    }
}

/// The sources of a key's namespace and device.
pub mod origin {
    /// Nowhere: there was no believable device, and `net`, `inum` and `ifindex` are 0.
    pub const NONE: u8 = 0;
    /// `skb->dev`.
    pub const DEVICE: u8 = 1;
    /// `skb->skb_iif`, in the namespace of the receiving socket that the tracepoint names.
    pub const SOCKET: u8 = 2;
    /// `skb->skb_iif`, in the namespace of the running task: right only where that task itself freed the packet.
    pub const TASK: u8 = 3;
    /// `skb->skb_iif`, in the namespace of the device of the packet's route.
    pub const ROUTE: u8 = 4;
    /// The device of the route of a packet that a program here sends, in the namespace of its socket. The index is 0
    /// where the packet has no route yet.
    pub const SENT: u8 = 5;
    /// `skb->skb_iif`, in the namespace of the socket that owns the packet (`skb->sk`).
    pub const OWNER: u8 = 6;
}

/// The samples of a key that were stored.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySamples {
    /// A bit for each flow slot of which one packet was stored.
    pub once: u64,
    /// A bit for each flow slot of which two were.
    pub twice: u64,
    /// The number of first samples.
    pub first: u32,
    /// Not 0 if the last try found the ring full.
    pub is_waiting: u32,
}

/// A device, or a namespace as a whole ([`WHOLE_NAMESPACE`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShareKey {
    /// As [`DropKey::net`].
    pub net: u64,
    /// As [`DropKey::ifindex`].
    pub ifindex: u32,
    /// No meaning; keeps the size a multiple of eight.
    pub reserved: u32,
}

/// The keys that a device or a namespace has.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// All of them.
    pub keys: u32,
    /// Those of unknown types.
    pub unknown_types: u32,
}

impl DropKey {
    /// The key is of an EtherType, or of a subtype, that no table of the kernel's or of netdiag's knows: a program that
    /// may send frames can make thousands of them.
    #[inline(always)]
    pub const fn is_of_unknown_type(&self) -> bool {
        match self.protocol {
            // Absent, 802.2 (access points of OSI and of spanning tree, CDP's header folded), IPv4, ARP, 802.1Q.
            0 | 0x0800 | 0x0806 | 0x8100 => false,
            0x0004 => !matches!(self.subtype, 0x2f | 0x42 | 0xfe),
            // IPv6, MPLS, PPPoE, EAPOL, 802.1ad, LLDP, MACsec, PTP, FCoE, RoCE.
            0x86dd | 0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x888e | 0x88a8 | 0x88cc | 0x88e5
            | 0x88f7 | 0x8906 | 0x8914 | 0x8915 => false,
            // Slow protocols: LACP, marker, OAM, synchronisation.
            0x8809 => !matches!(self.subtype, 1 | 2 | 3 | 10),
            FURTHER_TYPES => false,
            _ => true,
        }
    }

    /// The key of further unknown types at the same place.
    #[inline(always)]
    pub const fn with_further_types(self) -> Self {
        Self {
            protocol: FURTHER_TYPES,
            subtype: 0,
            ..self
        }
    }
}

/// A slot of the per-CPU cache that spares most drops the lookup in the shared key map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheSlot {
    /// The key that was last seen in this slot, as [`DropKey::to_words`] gives it.
    pub words: [u64; 4],
    /// Its counter; [`OVERFLOW`] while the slot is empty.
    pub index: u32,
    /// No meaning; keeps the size a multiple of eight.
    pub reserved: u32,
}

/// The header that precedes the packet's bytes in a sample.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub at_ns: u64,
    /// The key's counter.
    pub index: u32,
    /// Full length of the packet from the first copied byte.
    pub length: u32,
    /// `skb->skb_iif`.
    pub skb_iif: u32,
    /// `net_device.ifindex` of the device of the packet's route; 0 without a route.
    pub route_ifindex: u32,
    /// The MTU of that route itself (`RTAX_MTU` of its metrics), bytes; 0 where it has none.
    pub route_mtu: u32,
    /// The number of the bytes that follow which are the packet's.
    pub copied: u16,
    /// Offset of the network header from the first copied byte, or [`ABSENT`].
    pub network_offset: u16,
    /// Offset of the transport header from the first copied byte, or [`ABSENT`].
    pub transport_offset: u16,
    /// `skb->vlan_tci`, when `flags` says that there is one.
    pub vlan_tci: u16,
    /// `skb->pkt_type`.
    pub packet_type: u8,
    /// `skb->ip_summed`.
    pub ip_summed: u8,
    /// Bits of [`sample_flags`].
    pub flags: u16,
}

/// Bits of [`SampleHeader::flags`].
pub mod sample_flags {
    /// The bytes begin with the link layer header.
    pub const LINK_HEADER: u16 = 1;
    /// The device had taken a VLAN tag out of the frame.
    pub const VLAN: u16 = 2;
    /// The MTU of the packet's route is locked (`ip route .. mtu lock N`).
    pub const ROUTE_MTU_LOCKED: u16 = 4;
}

/// A sample of an ordinary packet.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The known facts about the packet.
    pub header: SampleHeader,
    /// Name of the device at the time of the drop (`net_device.name`), ended by 0; empty when unknown.
    pub device: DeviceName,
    /// Its first bytes.
    pub bytes: [u8; SAMPLE_BYTES],
}

/// A sample of a packet whose content matters.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LongSample {
    /// The known facts about the packet.
    pub header: SampleHeader,
    /// Name of the device at the time of the drop (`net_device.name`), ended by 0; empty when unknown.
    pub device: DeviceName,
    /// Its first bytes.
    pub bytes: [u8; LONG_SAMPLE_BYTES],
}

/// Layout of the kernel structures the probe reads: byte offsets from the running kernel's BTF. The agent writes it
/// into the program's read-only data, where the verifier takes it for constants.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropLayout {
    /// `sk_buff.dev`.
    pub skb_dev: u32,
    /// `sk_buff.sk`.
    pub skb_socket: u32,
    /// `sk_buff.hash`.
    pub skb_hash: u32,
    /// `sk_buff.protocol`.
    pub skb_protocol: u32,
    /// `sk_buff.skb_iif`.
    pub skb_iif: u32,
    /// `sk_buff.head`.
    pub skb_head: u32,
    /// `sk_buff.data`.
    pub skb_data: u32,
    /// `sk_buff.len`.
    pub skb_len: u32,
    /// `sk_buff.data_len`.
    pub skb_data_len: u32,
    /// `sk_buff.mac_header`.
    pub skb_mac_header: u32,
    /// `sk_buff.network_header`.
    pub skb_network_header: u32,
    /// `sk_buff.transport_header`.
    pub skb_transport_header: u32,
    /// `sk_buff.vlan_tci`.
    pub skb_vlan_tci: u32,
    /// Byte that says whether there is a VLAN tag: the bit field `vlan_present`, or the first of `vlan_proto`.
    pub skb_vlan_present: u32,
    /// The bits of that byte that say so; 0 where the 16 bits of `vlan_proto` and the tag say so by not being zero.
    pub skb_vlan_present_mask: u32,
    /// Byte that holds `sk_buff.pkt_type`.
    pub skb_packet_type: u32,
    /// Lowest bit of `pkt_type` (3 bits) in that byte.
    pub skb_packet_type_shift: u32,
    /// Byte that holds `sk_buff.ip_summed`.
    pub skb_ip_summed: u32,
    /// Lowest bit of `ip_summed` (2 bits) in that byte.
    pub skb_ip_summed_shift: u32,
    /// `net_device.ifindex`.
    pub device_ifindex: u32,
    /// `net_device.name`.
    pub device_name: u32,
    /// `net_device.nd_net.net`.
    pub device_net: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `net.net_cookie`; meaningless without `has_cookie`.
    pub net_cookie: u32,
    /// `sock.__sk_common.skc_net.net`.
    pub sock_net: u32,
    /// `sk_buff._skb_refdst`: a pointer to the route, with a flag in its lowest bit.
    pub skb_route: u32,
    /// `dst_entry.dev`.
    pub route_device: u32,
    /// `dst_entry._metrics`: a pointer to the route's metrics, with flags in its lowest two bits.
    pub route_metrics: u32,
    /// `task_struct.nsproxy`.
    pub task_nsproxy: u32,
    /// `nsproxy.net_ns`.
    pub nsproxy_net: u32,
    /// Not 0 where a namespace gets its cookie at creation (5.12 on).
    pub has_cookie: u32,
    /// Number of arguments of the tracepoint: 2 without reasons, 3 with, 4 with the receiving socket.
    pub arguments: u32,
    /// `SKB_CONSUMED`: not a drop.
    pub reason_consumed: u32,
    /// `SKB_NOT_DROPPED_YET`: not a drop.
    pub reason_not_dropped: u32,
    /// `SKB_DROP_REASON_NOT_SPECIFIED`: no reason of its own.
    pub reason_not_specified: u32,
    /// `net.ns.inum` of the node's own namespace.
    pub node_inum: u32,
}

impl DropLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        skb_dev: 0,
        skb_socket: 0,
        skb_hash: 0,
        skb_protocol: 0,
        skb_iif: 0,
        skb_head: 0,
        skb_data: 0,
        skb_len: 0,
        skb_data_len: 0,
        skb_mac_header: 0,
        skb_network_header: 0,
        skb_transport_header: 0,
        skb_vlan_tci: 0,
        skb_vlan_present: 0,
        skb_vlan_present_mask: 0,
        skb_packet_type: 0,
        skb_packet_type_shift: 0,
        skb_ip_summed: 0,
        skb_ip_summed_shift: 0,
        device_ifindex: 0,
        device_name: 0,
        device_net: 0,
        net_inum: 0,
        net_cookie: 0,
        sock_net: 0,
        skb_route: 0,
        route_device: 0,
        route_metrics: 0,
        task_nsproxy: 0,
        nsproxy_net: 0,
        has_cookie: 0,
        arguments: 0,
        reason_consumed: 0,
        reason_not_dropped: 0,
        reason_not_specified: 0,
        node_inum: 0,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_in_use_keep_their_own_keys() {
        let is_unknown = |protocol, subtype| {
            DropKey {
                protocol,
                subtype,
                ..DropKey::default()
            }
            .is_of_unknown_type()
        };
        for (protocol, subtype) in [
            (0x0800, 0),
            (0x86dd, 0),
            (0x88cc, 0),
            (0x0004, 0x2f),
            (0x8809, 1),
        ] {
            assert!(!is_unknown(protocol, subtype), "{protocol:#x}");
        }
        assert!(is_unknown(0x9000, 0) && is_unknown(0x0004, 7) && is_unknown(0x8809, 77));
        let folded = DropKey {
            protocol: 0x9000,
            subtype: 3,
            ifindex: 4,
            ..DropKey::default()
        };
        let folded = folded.with_further_types();
        assert!(!folded.is_of_unknown_type() && folded.ifindex == 4 && folded.subtype == 0);
    }

    #[test]
    fn a_key_survives_its_words() {
        let key = DropKey {
            net: u64::MAX - 1,
            location: 0xffff_ffff_8100_0000,
            inum: 0xf000_0001,
            ifindex: 0x0102_0304,
            reason: 0x0003_0007,
            protocol: 0x88cc,
            origin: origin::TASK,
            subtype: 0x2c,
        };
        assert_eq!(DropKey::from_words(key.to_words()), key);
    }
}
