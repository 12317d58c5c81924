//! Drops as the `kfree_skb` probe counts them.

use serde::{Deserialize, Serialize};

use super::NetnsId;
use crate::kernel::{Function, Reason};

/// The drops that the drop probe counted and sampled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drops {
    /// Which backend counted: `tp_btf`, `raw_tracepoint`.
    pub backend: String,
    /// The kernel gives drop reasons (not before 5.17).
    pub has_reasons: bool,
    /// Locations could be symbolised (kallsyms may be blanked by `kptr_restrict`).
    pub has_locations: bool,
    /// One entry a key, most frequent first.
    pub counts: Vec<DropCount>,
    /// A few packets of each key.
    pub samples: Vec<PacketSample>,
}

/// The number of dropped packets of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DropCount {
    /// Namespace of the device; `None` when no device of this node could be told.
    pub netns: Option<NetnsId>,
    /// Index of the device in that namespace, 0 when unknown.
    pub ifindex: u32,
    /// `skb->protocol` in host order: an EtherType, or 0x0004 for 802.2.
    pub ethertype: u16,
    /// The kernel's own reason.
    pub reason: Reason,
    /// The function that dropped it.
    pub location: Function,
    /// Drops that surely fall between the two reads of the counters.
    pub at_least: u64,
    /// Drops that may fall between the two reads of the counters; the count to show.
    pub count: u64,
    /// First and last event, milliseconds since the window began.
    pub first_ms: u64,
    /// See `first_ms`.
    pub last_ms: u64,
}

/// The place and the reason of a drop: the part of a drop key that tells one key from another.
pub(crate) type DropPlace<'a> = (Option<NetnsId>, u32, u16, &'a Reason, &'a Function);

impl DropCount {
    pub(crate) fn place(&self) -> DropPlace<'_> {
        (
            self.netns,
            self.ifindex,
            self.ethertype,
            &self.reason,
            &self.location,
        )
    }
}

/// One dropped packet, copied in part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PacketSample {
    /// Index into [`Drops::counts`].
    pub key: usize,
    /// Milliseconds since the window began.
    pub at_ms: u64,
    /// Full length of the packet from the first copied byte, in bytes.
    pub length: u32,
    /// True if the copy ends before the packet does (not linear, or longer than the sample).
    pub truncated: bool,
    /// Offset of the network header in `bytes`; `None` when the kernel had not set it.
    pub network_offset: Option<u16>,
    /// Offset of the transport header in `bytes`; `None` when the kernel had not set it.
    pub transport_offset: Option<u16>,
    /// `bytes` begin with the link layer header.
    pub has_link_header: bool,
    /// `skb->ip_summed`: 0 NONE, 1 UNNECESSARY, 2 COMPLETE, 3 PARTIAL.
    pub ip_summed: u8,
    /// `skb->pkt_type`: 0 HOST, 1 BROADCAST, 2 MULTICAST, 3 OTHERHOST, 4 OUTGOING, ..
    pub packet_type: u8,
    /// Interface that the packet first came in on (`skb->skb_iif`), 0 when unknown.
    pub skb_iif: u32,
    /// 802.1Q tag that the device had taken out of the frame, if any (`skb->vlan_tci`).
    pub vlan_tci: Option<u16>,
    /// The route by which it was to go on, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// The packet's first bytes: from the link header when `has_link_header`, else from the network header.
    #[serde(with = "hex_bytes")]
    pub bytes: Vec<u8>,
}

/// The route of a packet (`struct dst_entry`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Index of the device that it leads to, in the namespace of the drop.
    pub ifindex: u32,
    /// Its own MTU (`ip route .. mtu N`, or what an ICMP error told), bytes; 0 where it has none.
    pub mtu: u32,
    /// That MTU is locked (`mtu lock N`).
    pub is_mtu_locked: bool,
}

/// Bytes as one hex string, so that a recording stays readable and small.
mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() % 2 != 0 || !text.is_ascii() {
            return Err(D::Error::custom(
                "packet bytes must be an even number of hex digits",
            ));
        }
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(D::Error::custom))
            .collect()
    }
}
