//! The checks and their causes. Written by `cargo xtask codegen` from agent/diagnosis/src/causes.rs.

use super::Cause;

/// Every check, in the order of the reference.
pub const CHECKS: [&str; 10] = [
    "Promiscuity",
    "UnhandledProtocol",
    "ChecksumDrop",
    "DriverChecksum",
    "FragmentReassembly",
    "TapQueueDrop",
    "LinkMtu",
    "SegmentOffload",
    "ReceiveOverrun",
    "OtherDrop",
];

/// The check whose causes are the kernel's own reasons, beside those that are listed.
pub const OTHER_DROP: &str = "OtherDrop";

/// Every cause, in the order of the checks.
#[rustfmt::skip]
pub const CAUSES: [Cause; 26] = [
    Cause { check: "Promiscuity", name: "BridgePort", is_harmless_as_info: true, headlines: &["interface promiscuous for a bridge"] },
    Cause { check: "Promiscuity", name: "OpenVSwitchPort", is_harmless_as_info: true, headlines: &["interface promiscuous for Open vSwitch"] },
    Cause { check: "Promiscuity", name: "MacvlanPassthru", is_harmless_as_info: true, headlines: &["interface promiscuous for a macvlan"] },
    Cause { check: "Promiscuity", name: "PacketSocket", is_harmless_as_info: true, headlines: &["interface promiscuous for a packet capture"] },
    Cause { check: "Promiscuity", name: "UserRequest", is_harmless_as_info: true, headlines: &["interface promiscuous by an administrator"] },
    Cause { check: "Promiscuity", name: "UnicastFilter", is_harmless_as_info: true, headlines: &["interface promiscuous, its address filter is full"] },
    Cause { check: "Promiscuity", name: "AllMulticast", is_harmless_as_info: true, headlines: &["interface takes every multicast frame"] },
    Cause { check: "Promiscuity", name: "Unexplained", is_harmless_as_info: true, headlines: &["interface promiscuous without a known cause"] },
    Cause { check: "UnhandledProtocol", name: "NoReceiver", is_harmless_as_info: true, headlines: &["{protocol} dropped", "{protocol} addressed to the node dropped", "{protocol} addressed to the node dropped"] },
    Cause { check: "ChecksumDrop", name: "PartialChecksumLost", is_harmless_as_info: true, headlines: &["packets with an unfinished checksum dropped"] },
    Cause { check: "ChecksumDrop", name: "Corruption", is_harmless_as_info: true, headlines: &["corrupt packets dropped"] },
    Cause { check: "DriverChecksum", name: "UnsupportedProtocol", is_harmless_as_info: true, headlines: &["driver cannot finish checksums"] },
    Cause { check: "FragmentReassembly", name: "SharedBroadcastDomain", is_harmless_as_info: true, headlines: &["two interfaces in one broadcast domain", "fragments collide between two interfaces in one segment", "datagrams lost between two interfaces in one segment"] },
    Cause { check: "FragmentReassembly", name: "FragmentLoss", is_harmless_as_info: true, headlines: &["datagrams incomplete, fragments lost"] },
    Cause { check: "TapQueueDrop", name: "ReceiveQueueFull", is_harmless_as_info: true, headlines: &["queue to a guest full"] },
    Cause { check: "TapQueueDrop", name: "TransmitQueueFull", is_harmless_as_info: true, headlines: &["queue to a program or guest full"] },
    Cause { check: "TapQueueDrop", name: "QueueCheckRace", is_harmless_as_info: true, headlines: &["queue to a guest drops, perhaps with room in it"] },
    Cause { check: "LinkMtu", name: "PeerMtuSmaller", is_harmless_as_info: true, headlines: &["packets above the peer's MTU dropped"] },
    Cause { check: "SegmentOffload", name: "SegmentRoutingGro", is_harmless_as_info: true, headlines: &["segment routing packets not joined on receipt"] },
    Cause { check: "SegmentOffload", name: "SegmentRoutingGso", is_harmless_as_info: true, headlines: &["segment routing super-frames dropped"] },
    Cause { check: "ReceiveOverrun", name: "RingFull", is_harmless_as_info: true, headlines: &["receive ring of a NIC full"] },
    Cause { check: "ReceiveOverrun", name: "BacklogFull", is_harmless_as_info: true, headlines: &["backlog of a CPU full"] },
    Cause { check: "OtherDrop", name: "NotLoss", is_harmless_as_info: true, headlines: &["freed packets that nobody misses"] },
    Cause { check: "OtherDrop", name: "NoDevice", is_harmless_as_info: false, headlines: &["packets dropped without a device of the node"] },
    Cause { check: "OtherDrop", name: "Remainder", is_harmless_as_info: false, headlines: &["packets dropped for several small reasons"] },
    Cause { check: "OtherDrop", name: "ListenOverflows", is_harmless_as_info: false, headlines: &["connections refused by a full listening socket"] },
];
