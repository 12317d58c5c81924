//! The checks and their causes. Written by `cargo xtask codegen` from agent/diagnosis/src/causes.rs.

use super::Cause;
use crate::harm::Harm;

/// Every check, in the order of the reference.
pub const CHECKS: [&str; 17] = [
    "Promiscuity",
    "UnhandledProtocol",
    "ChecksumDrop",
    "DriverChecksum",
    "FragmentReassembly",
    "TapQueueDrop",
    "LinkMtu",
    "SegmentOffload",
    "ReceiveOverrun",
    "Bridge",
    "ConnectionTracking",
    "PacketFilter",
    "ListenQueue",
    "SocketBuffer",
    "Routing",
    "Neighbour",
    "OtherDrop",
];

/// The check whose causes are the kernel's own reasons, beside those that are listed.
pub const OTHER_DROP: &str = "OtherDrop";

/// Every cause, in the order of the checks.
#[rustfmt::skip]
pub const CAUSES: [Cause; 50] = [
    Cause { check: "Promiscuity", name: "BridgePort", headline: "interface promiscuous for a bridge", by_harm: &[] },
    Cause { check: "Promiscuity", name: "OpenVSwitchPort", headline: "interface promiscuous for Open vSwitch", by_harm: &[] },
    Cause { check: "Promiscuity", name: "MacvlanPassthru", headline: "interface promiscuous for a macvlan", by_harm: &[] },
    Cause { check: "Promiscuity", name: "PacketSocket", headline: "interface promiscuous for a packet capture", by_harm: &[] },
    Cause { check: "Promiscuity", name: "UserRequest", headline: "interface promiscuous by an administrator", by_harm: &[] },
    Cause { check: "Promiscuity", name: "UnicastFilter", headline: "interface promiscuous, its address filter is full", by_harm: &[] },
    Cause { check: "Promiscuity", name: "AllMulticast", headline: "interface takes every multicast frame", by_harm: &[] },
    Cause { check: "Promiscuity", name: "Unexplained", headline: "interface promiscuous without a known cause", by_harm: &[] },
    Cause { check: "UnhandledProtocol", name: "NoReceiver", headline: "{protocol} dropped", by_harm: &[(Harm::Loss, "{protocol} addressed to the node dropped")] },
    Cause { check: "ChecksumDrop", name: "PartialChecksumLost", headline: "packets dropped, checksum not filled in", by_harm: &[(Harm::Outage, "{outage}, checksum not filled in")] },
    Cause { check: "ChecksumDrop", name: "Corruption", headline: "corrupt packets dropped", by_harm: &[(Harm::Outage, "{outage}, packets arrive corrupt")] },
    Cause { check: "ChecksumDrop", name: "Unseen", headline: "packets with a wrong checksum dropped, too few seen to tell why", by_harm: &[] },
    Cause { check: "DriverChecksum", name: "UnsupportedProtocol", headline: "driver cannot fill in checksums", by_harm: &[] },
    Cause { check: "FragmentReassembly", name: "SharedBroadcastDomain", headline: "two interfaces in one broadcast domain", by_harm: &[(Harm::Unknown, "fragments collide between two interfaces in one segment"), (Harm::Loss, "datagrams lost between two interfaces in one segment"), (Harm::Outage, "no large datagram arrives, two interfaces are in one segment")] },
    Cause { check: "FragmentReassembly", name: "FragmentLoss", headline: "datagrams stay incomplete, fragments are missing", by_harm: &[(Harm::Loss, "datagrams lost, fragments are missing"), (Harm::Outage, "no large datagram arrives, fragments are missing")] },
    Cause { check: "TapQueueDrop", name: "ReceiveQueueFull", headline: "VM queue full", by_harm: &[(Harm::Delay, "packets to a VM late, its queue is full"), (Harm::Outage, "nothing gets through to a VM, its queue is full")] },
    Cause { check: "TapQueueDrop", name: "TransmitQueueFull", headline: "queue to a VM or program full", by_harm: &[(Harm::Delay, "packets to a VM or program late, its queue is full"), (Harm::Outage, "nothing gets through to a VM or program, its queue is full")] },
    Cause { check: "TapQueueDrop", name: "QueueCheckRace", headline: "VM queue drops, perhaps with room in it", by_harm: &[] },
    Cause { check: "LinkMtu", name: "PeerMtuSmaller", headline: "packets above the peer's MTU dropped", by_harm: &[(Harm::Outage, "{outage}, packets exceed the peer's MTU")] },
    Cause { check: "LinkMtu", name: "PortMtuSmaller", headline: "packets above a bridge port's MTU dropped", by_harm: &[(Harm::Outage, "connections fail, packets exceed a bridge port's MTU")] },
    Cause { check: "SegmentOffload", name: "SegmentRoutingGro", headline: "SRv6 packets not merged on receipt (GRO)", by_harm: &[] },
    Cause { check: "SegmentOffload", name: "SegmentRoutingGso", headline: "SRv6 super-frames dropped", by_harm: &[(Harm::Outage, "packets over SRv6 do not get through, super-frames are dropped")] },
    Cause { check: "ReceiveOverrun", name: "RingFull", headline: "NIC receive ring full", by_harm: &[] },
    Cause { check: "ReceiveOverrun", name: "BacklogFull", headline: "CPU backlog full", by_harm: &[] },
    Cause { check: "Bridge", name: "PortNotForwarding", headline: "a bridge port does not forward", by_harm: &[(Harm::Loss, "packets lost, a bridge port did not forward yet"), (Harm::Outage, "connections fail, a bridge port does not forward")] },
    Cause { check: "Bridge", name: "HairpinOff", headline: "packets not sent back to the bridge port that they came from", by_harm: &[(Harm::Outage, "connections of a pod to its own service fail, hairpin is off")] },
    Cause { check: "Bridge", name: "PortsIsolated", headline: "packets between isolated bridge ports refused", by_harm: &[] },
    Cause { check: "Bridge", name: "PortLocked", headline: "packets refused by a locked bridge port", by_harm: &[] },
    Cause { check: "ConnectionTracking", name: "TableFull", headline: "new connections refused, connection tracking table full", by_harm: &[(Harm::Outage, "new connections fail, connection tracking table full")] },
    Cause { check: "ConnectionTracking", name: "HashChainFull", headline: "connections refused, chains of the connection tracking table too long", by_harm: &[(Harm::Outage, "connections fail, chains of the connection tracking table too long")] },
    Cause { check: "ConnectionTracking", name: "SourcePortsExhausted", headline: "connections refused, no source port left to translate to", by_harm: &[(Harm::Outage, "connections fail, no source port left to translate to")] },
    Cause { check: "ConnectionTracking", name: "InsertRace", headline: "packets that opened one connection at once collided", by_harm: &[] },
    Cause { check: "ConnectionTracking", name: "InvalidDropped", headline: "invalid segments dropped by a rule", by_harm: &[(Harm::Outage, "connections fail, their segments are invalid here and a rule drops them")] },
    Cause { check: "PacketFilter", name: "RuleDropped", headline: "packets refused by a rule", by_harm: &[] },
    Cause { check: "PacketFilter", name: "OutputRuleDropped", headline: "packets of programs refused by a rule", by_harm: &[] },
    Cause { check: "PacketFilter", name: "ServiceWithoutEndpoints", headline: "packets to a service without endpoints refused", by_harm: &[(Harm::Outage, "connections to a service fail, it has no endpoints")] },
    Cause { check: "ListenQueue", name: "AcceptQueueFull", headline: "new connections refused, accept queue full", by_harm: &[(Harm::Delay, "new connections late, accept queue full"), (Harm::Outage, "new connections fail, accept queue full")] },
    Cause { check: "ListenQueue", name: "SynQueueFull", headline: "new connections refused, queue of handshakes full", by_harm: &[(Harm::Delay, "new connections late, queue of handshakes full"), (Harm::Outage, "new connections fail, queue of handshakes full")] },
    Cause { check: "ListenQueue", name: "LoopbackOnly", headline: "packets refused, their program listens on another address only", by_harm: &[(Harm::Outage, "connections fail, their program listens on another address only")] },
    Cause { check: "ListenQueue", name: "PortClosed", headline: "packets for ports on which nobody listens refused", by_harm: &[] },
    Cause { check: "SocketBuffer", name: "ReceiveBufferFull", headline: "datagrams dropped, a receive buffer is full", by_harm: &[(Harm::Loss, "datagrams lost, a receive buffer is full")] },
    Cause { check: "SocketBuffer", name: "SocketBacklogFull", headline: "packets dropped, their program held the socket too long", by_harm: &[(Harm::Loss, "packets lost, their program held the socket too long"), (Harm::Outage, "{outage}, their program holds the socket too long")] },
    Cause { check: "SocketBuffer", name: "PacketSocketFull", headline: "a packet socket is read too slowly", by_harm: &[(Harm::Loss, "packets lost, the packet socket that takes them is full")] },
    Cause { check: "Routing", name: "ForwardingOff", headline: "packets not forwarded, forwarding is off", by_harm: &[(Harm::Loss, "packets lost, forwarding was off"), (Harm::Outage, "connections fail, forwarding is off")] },
    Cause { check: "Routing", name: "ReversePathFilter", headline: "packets refused by the reverse path filter", by_harm: &[(Harm::Outage, "connections fail, the reverse path filter refuses them")] },
    Cause { check: "Neighbour", name: "TableFull", headline: "packets to new neighbours refused, neighbour table full", by_harm: &[(Harm::Outage, "connections to new neighbours fail, neighbour table full")] },
    Cause { check: "Neighbour", name: "Unanswered", headline: "packets to a neighbour that does not answer", by_harm: &[(Harm::Outage, "{outage}, a neighbour does not answer")] },
    Cause { check: "OtherDrop", name: "NotLoss", headline: "packets dropped that nobody misses", by_harm: &[] },
    Cause { check: "OtherDrop", name: "NoDevice", headline: "packets dropped, device not known", by_harm: &[] },
    Cause { check: "OtherDrop", name: "Remainder", headline: "packets dropped for several small reasons", by_harm: &[] },
];
