//! The checks and their causes: the one list.
//!
//! A detector refers to its check and causes by the names of this list, and a finding takes both from here. The enum of
//! `spec.checks`, the words of a roll-up, the tables of README.md and docs/checks/README.md, the labels of metrics and
//! the values of `--checks` are made of it; `cargo xtask codegen` writes those that are files (src/bin/checkgen.rs).

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use crate::finding::Harm;

/// The project's address, as the chart and the images name it. What it serves has the paths of this repository.
const HOME: &str = "https://netdiag.dev";

/// A part of the network stack that is looked at.
pub struct Check {
    /// Its name, as `spec.checks` and findings have it. Its page is docs/checks/NAME.md.
    pub name: &'static str,
    /// Everything that it finds, in one line.
    pub finds: &'static str,
    /// Its causes.
    pub causes: &'static [&'static Cause],
}

/// A mechanism that a check proves.
pub struct Cause {
    /// The check.
    pub check: &'static Check,
    /// Its name, as findings have it.
    pub name: &'static str,
    /// Its words in a roll-up, without where. `{protocol}` stands for the protocol's name, which otherwise follows in
    /// brackets where it is known. They say what happens and claim no loss.
    pub headline: &'static str,
    /// The words for a harm, where they say more about it. `{outage}` stands for the words for an outage, which depend
    /// on whether samples prove that connections died.
    pub by_harm: &'static [(Harm, &'static str)],
}

/// A finding's cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// One of the list.
    Listed(&'static Cause),
    /// A reason or a function by the kernel's own name, of the check [`OTHER_DROP`].
    Kernel(String),
}

/// The check of this name.
pub fn check(name: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.name == name)
}

macro_rules! checks {
    ($(
        $CHECK:ident $check:literal {
            finds $finds:literal;
            $($CAUSE:ident $cause:literal $headline:literal $({ $($harm:ident $words:literal;)+ })?;)+
        }
    )+) => {
        /// Every check, in the order of the documents.
        pub static CHECKS: &[&Check] = &[$(&$CHECK),+];

        $(
            #[doc = concat!("The check `", $check, "`.")]
            pub static $CHECK: Check = Check {
                name: $check,
                finds: $finds,
                causes: &[$(&$CAUSE),+],
            };
            $(
                #[doc = concat!("The cause `", $check, "/", $cause, "`.")]
                pub static $CAUSE: Cause = Cause {
                    check: &$CHECK,
                    name: $cause,
                    headline: $headline,
                    by_harm: &[$($((Harm::$harm, $words)),+)?],
                };
            )+
        )+
    };
}

checks! {
    PROMISCUITY "Promiscuity" {
        finds "who made a device promiscuous, along the whole chain, and whether it must be";
        BRIDGE_PORT "BridgePort" "interface promiscuous for a bridge";
        OPEN_VSWITCH_PORT "OpenVSwitchPort" "interface promiscuous for Open vSwitch";
        MACVLAN_PASSTHRU "MacvlanPassthru" "interface promiscuous for a macvlan";
        PACKET_SOCKET "PacketSocket" "interface promiscuous for a packet capture";
        USER_REQUEST "UserRequest" "interface promiscuous by an administrator";
        UNICAST_FILTER "UnicastFilter" "interface promiscuous, its address filter is full";
        ALL_MULTICAST "AllMulticast" "interface takes every multicast frame";
        UNEXPLAINED "Unexplained" "interface promiscuous without a known cause";
    }
    UNHANDLED_PROTOCOL "UnhandledProtocol" {
        finds "frames that nobody on the node receives: LLDP, CDP, slow protocols and others, with their sender";
        NO_RECEIVER "NoReceiver" "{protocol} dropped" {
            Loss "{protocol} addressed to the node dropped";
        };
    }
    CHECKSUM_DROP "ChecksumDrop" {
        finds "checksums that nobody filled in, told apart from bytes that really broke";
        PARTIAL_CHECKSUM_LOST "PartialChecksumLost" "packets dropped, checksum not filled in" {
            Outage "{outage}, checksum not filled in";
        };
        CORRUPTION "Corruption" "corrupt packets dropped" {
            Outage "{outage}, packets arrive corrupt";
        };
        UNSEEN "Unseen" "packets with a wrong checksum dropped, too few seen to tell why";
    }
    DRIVER_CHECKSUM "DriverChecksum" {
        finds "drivers that cannot fill in the checksums of a protocol, by the kernel log";
        UNSUPPORTED_PROTOCOL "UnsupportedProtocol" "driver cannot fill in checksums";
    }
    FRAGMENT_REASSEMBLY "FragmentReassembly" {
        finds "two interfaces in one broadcast domain whose fragments collide; datagrams that stay incomplete";
        SHARED_BROADCAST_DOMAIN "SharedBroadcastDomain" "two interfaces in one broadcast domain" {
            Unknown "fragments collide between two interfaces in one segment";
            Loss "datagrams lost between two interfaces in one segment";
            Outage "no large datagram arrives, two interfaces are in one segment";
        };
        FRAGMENT_LOSS "FragmentLoss" "datagrams stay incomplete, fragments are missing" {
            Loss "datagrams lost, fragments are missing";
            Outage "no large datagram arrives, fragments are missing";
        };
    }
    TAP_QUEUE_DROP "TapQueueDrop" {
        finds "guests and programs that read their macvtap, TAP or TUN device too slowly";
        RECEIVE_QUEUE_FULL "ReceiveQueueFull" "VM queue full" {
            Delay "packets to a VM late, its queue is full";
            Outage "nothing gets through to a VM, its queue is full";
        };
        TRANSMIT_QUEUE_FULL "TransmitQueueFull" "queue to a VM or program full" {
            Delay "packets to a VM or program late, its queue is full";
            Outage "nothing gets through to a VM or program, its queue is full";
        };
        READER_STOPPED "ReaderStopped" "queue to a VM or program full, it seems to read nothing" {
            Outage "nothing seems to get through to a VM or program, its queue stays full";
        };
        QUEUE_CHECK_RACE "QueueCheckRace" "VM queue drops, perhaps with room in it";
    }
    LINK_MTU "LinkMtu" {
        finds "a veth whose other end, or a bridge port, that takes less than it is sent";
        PEER_MTU_SMALLER "PeerMtuSmaller" "packets above the peer's MTU dropped" {
            Outage "{outage}, packets exceed the peer's MTU";
        };
        PORT_MTU_SMALLER "PortMtuSmaller" "packets above a bridge port's MTU dropped" {
            Outage "connections fail, packets exceed a bridge port's MTU";
        };
    }
    SEGMENT_OFFLOAD "SegmentOffload" {
        finds "TCP behind an inline segment routing header (SRv6) that offload does not merge, or drops";
        SEGMENT_ROUTING_GRO "SegmentRoutingGro" "SRv6 packets not merged on receipt (GRO)";
        SEGMENT_ROUTING_GSO "SegmentRoutingGso" "SRv6 super-frames dropped" {
            Outage "packets over SRv6 do not get through, super-frames are dropped";
        };
    }
    RECEIVE_OVERRUN "ReceiveOverrun" {
        finds "NICs and CPUs that cannot keep up with what they receive";
        RING_FULL "RingFull" "NIC receive ring full";
        BACKLOG_FULL "BacklogFull" "CPU backlog full";
    }
    QUEUEING "Queueing" {
        finds "devices that hand on nothing (no reader, down, no carrier), and queueing disciplines that drop, by their kind";
        NO_READER "NoReader" "packets to a VM or program that has its device not open" {
            Loss "packets to a VM or program lost, it had its device not open";
            Outage "nothing gets through to a VM or program, it has its device not open";
        };
        DEVICE_DOWN "DeviceDown" "packets refused, a device is down" {
            Outage "nothing gets through a device that is down";
        };
        NO_CARRIER "NoCarrier" "packets not sent, a device has no carrier" {
            Loss "packets lost, a device had no carrier for a while";
            Outage "nothing gets through a device without carrier";
        };
        NOT_YET_ACTIVE "NotYetActive" "packets sent before a device was active";
        QUEUE_FULL "QueueFull" "packets dropped, a device's queue is full" {
            Loss "packets lost, a device's queue is full";
            Outage "{outage}, a device's queue is full";
        };
        CONGESTION_SIGNAL "CongestionSignal" "packets dropped so that senders slow down" {
            Delay "packets late, dropped so that senders slow down";
            Loss "packets lost in a congested queue";
            Outage "{outage}, packets dropped in a congested queue";
        };
        SHAPED "Shaped" "packets dropped by a shaper that was set on purpose";
    }
    BRIDGE "Bridge" {
        finds "bridge ports that do not forward, are isolated or locked, or send nothing back to where it came from";
        PORT_NOT_FORWARDING "PortNotForwarding" "a bridge port does not forward" {
            Loss "packets lost, a bridge port did not forward yet";
            Outage "connections fail, a bridge port does not forward";
        };
        HAIRPIN_OFF "HairpinOff" "packets not sent back to the bridge port that they came from" {
            Outage "connections of a pod to its own service fail, hairpin is off";
        };
        PORTS_ISOLATED "PortsIsolated" "packets between isolated bridge ports refused";
        PORT_LOCKED "PortLocked" "packets refused by a locked bridge port";
    }
    CONNECTION_TRACKING "ConnectionTracking" {
        finds "connections that connection tracking refuses, and segments that it calls invalid and a rule drops";
        TABLE_FULL "TableFull" "new connections refused, connection tracking table full" {
            Outage "new connections fail, connection tracking table full";
        };
        HASH_CHAIN_FULL "HashChainFull" "connections refused, chains of the connection tracking table too long" {
            Outage "connections fail, chains of the connection tracking table too long";
        };
        SOURCE_PORTS_EXHAUSTED "SourcePortsExhausted" "connections refused, no source port left to translate to" {
            Outage "connections fail, no source port left to translate to";
        };
        INSERT_RACE "InsertRace" "packets that opened one connection at once collided";
        INVALID_DROPPED "InvalidDropped" "invalid segments dropped by a rule" {
            Outage "connections fail, their segments are invalid here and a rule drops them";
        };
    }
    PACKET_FILTER "PacketFilter" {
        finds "rules that refuse packets, by name and counter, and services that kube-proxy refuses because they have no endpoints";
        RULE_DROPPED "RuleDropped" "packets refused by a rule";
        OUTPUT_RULE_DROPPED "OutputRuleDropped" "packets of programs refused by a rule";
        SERVICE_WITHOUT_ENDPOINTS "ServiceWithoutEndpoints" "packets to a service without endpoints refused" {
            Outage "connections to a service fail, it has no endpoints";
        };
    }
    PATH_MTU "PathMtu" {
        finds "packets that are longer than the way onward takes, and senders that never learn of it";
        BLACK_HOLE "BlackHole" "packets above the path MTU dropped, their senders do not learn of it" {
            Outage "{outage}, packets exceed the path MTU";
        };
        TOO_BIG "TooBig" "packets above the path MTU dropped";
    }
    LISTEN_QUEUE "ListenQueue" {
        finds "listeners whose queues refuse connections, with the program that should accept them, and ports on which nobody listens";
        ACCEPT_QUEUE_FULL "AcceptQueueFull" "new connections refused, accept queue full" {
            Delay "new connections late, accept queue full";
            Outage "new connections fail, accept queue full";
        };
        SYN_QUEUE_FULL "SynQueueFull" "new connections refused, queue of handshakes full" {
            Delay "new connections late, queue of handshakes full";
            Outage "new connections fail, queue of handshakes full";
        };
        LOOPBACK_ONLY "LoopbackOnly" "packets refused, their program listens on another address only" {
            Outage "connections fail, their program listens on another address only";
        };
        PORT_CLOSED "PortClosed" "packets for ports on which nobody listens refused";
    }
    SOCKET_BUFFER "SocketBuffer" {
        finds "sockets that are read too slowly, with their program";
        RECEIVE_BUFFER_FULL "ReceiveBufferFull" "datagrams dropped, a receive buffer is full" {
            Loss "datagrams lost, a receive buffer is full";
        };
        SOCKET_BACKLOG_FULL "SocketBacklogFull" "packets dropped, their program held the socket too long" {
            Loss "packets lost, their program held the socket too long";
            Outage "{outage}, their program holds the socket too long";
        };
        PACKET_SOCKET_FULL "PacketSocketFull" "a packet socket is read too slowly" {
            Loss "packets lost, the packet socket that takes them is full";
        };
    }
    ROUTING "Routing" {
        finds "packets that the node or a pod does not forward, that have no route or one that refuses, that go in a circle, or that the reverse path filter refuses";
        FORWARDING_OFF "ForwardingOff" "packets not forwarded, forwarding is off" {
            Loss "packets lost, forwarding was off";
            Outage "connections fail, forwarding is off";
        };
        REVERSE_PATH_FILTER "ReversePathFilter" "packets refused by the reverse path filter" {
            Outage "connections fail, the reverse path filter refuses them";
        };
        NO_ROUTE "NoRoute" "packets without a route" {
            Outage "connections fail, no route leads to their destination";
        };
        BLACKHOLE_ROUTE "BlackholeRoute" "packets refused by a route" {
            Outage "connections fail, a route refuses their destination";
        };
        TTL_EXCEEDED "TtlExceeded" "packets in a circle of routes" {
            Outage "connections fail, packets go in a circle of routes";
        };
    }
    NEIGHBOUR "Neighbour" {
        finds "neighbours that do not answer (ARP, neighbour discovery), and a table of neighbours that is full";
        NEIGHBOUR_TABLE_FULL "TableFull" "packets to new neighbours refused, neighbour table full" {
            Outage "connections to new neighbours fail, neighbour table full";
        };
        UNANSWERED "Unanswered" "packets to a neighbour that does not answer" {
            Outage "{outage}, a neighbour does not answer";
        };
    }
    OTHER_DROP "OtherDrop" {
        finds "every other drop by the kernel's own reason, with what it means and what to do";
        NOT_LOSS "NotLoss" "packets dropped that nobody misses";
        NO_DEVICE "NoDevice" "packets dropped, device not known";
        REMAINDER "Remainder" "packets dropped for several small reasons";
    }
}

impl Check {
    /// The address of its page.
    pub fn docs(&self) -> String {
        format!("{HOME}/{}", self.page())
    }

    /// The path of its page in this repository.
    pub fn page(&self) -> String {
        format!("docs/checks/{}.md", self.name)
    }
}

impl Mechanism {
    /// The check that the finding belongs to.
    pub fn check(&self) -> &'static Check {
        match self {
            Self::Listed(cause) => cause.check,
            Self::Kernel(_) => &OTHER_DROP,
        }
    }

    /// Its name, as findings have it.
    pub fn name(&self) -> &str {
        match self {
            Self::Listed(cause) => cause.name,
            Self::Kernel(name) => name,
        }
    }

    /// True for this cause.
    pub fn is(&self, cause: &'static Cause) -> bool {
        matches!(self, Self::Listed(own) if *own == cause)
    }
}

impl From<&'static Cause> for Mechanism {
    fn from(cause: &'static Cause) -> Self {
        Self::Listed(cause)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

// Check and cause refer to each other, so they are compared and shown by their names.

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Check {}

impl Hash for Check {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for Check {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Check {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        (self.check, self.name) == (other.check, other.name)
    }
}

impl Eq for Cause {}

impl PartialOrd for Cause {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cause {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.check, self.name).cmp(&(other.check, other.name))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.check.name, self.name)
    }
}

#[cfg(test)]
mod tests;
