//! Counters of dropped packets.

/// A counter of a device (`rtnl_link_stats64`), each of the kind [`Kind::Packets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceCounter {
    /// Packets that the device or the stack did not take in.
    RxDropped,
    /// Packets that were not sent.
    TxDropped,
    /// Packets that an inactive port of a bond or team received.
    RxNohandler,
}

/// A counter of a namespace: of its MIBs (/proc/net/snmp, /proc/net/snmp6, /proc/net/netstat), or of its connection
/// tracking (/proc/net/stat/nf_conntrack).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceCounter {
    /// Wrong checksums of TCP over IPv4 and IPv6: there is one TCP MIB for both.
    TcpInCsumErrors,
    /// Wrong checksums of UDP over IPv4.
    UdpInCsumErrors,
    /// Wrong checksums of UDP over IPv6.
    Udp6InCsumErrors,
    /// Full receive buffers of UDP over IPv4.
    UdpRcvbufErrors,
    /// Full receive buffers of UDP over IPv6.
    Udp6RcvbufErrors,
    /// UDP over IPv4 that no program listens for.
    UdpNoPorts,
    /// UDP over IPv6 that no program listens for.
    Udp6NoPorts,
    /// UDP over IPv4 to a broadcast or multicast address that no program reads.
    UdpIgnoredMulti,
    /// IPv4 datagrams whose reassembly failed.
    ReasmFails,
    /// IPv4 packets with a broken header, or whose hop limit ran out.
    InHdrErrors,
    /// The same of IPv6.
    Ip6InHdrErrors,
    /// IPv4 packets that no route leads on.
    InNoRoutes,
    /// IPv4 packets for another host that came by a device that does not forward.
    InAddrErrors,
    /// The same of IPv6, and packets whose source must not be forwarded.
    Ip6InAddrErrors,
    /// IPv4 packets that the reverse path filter refused.
    ReversePathFilter,
    /// Connections for which a listener's queue had no room. tcp_conn_request frees a refused SYN as one that was read.
    ListenOverflows,
    /// Packets that would have opened a connection and that a listener refused for whatever reason. Each of
    /// [`Self::ListenOverflows`] is in it.
    ListenDrops,
    /// SYNs that found the queue of handshakes at the listener's backlog, without SYN cookies (`tcp_syn_flood_action`). Each
    /// is in [`Self::ListenDrops`] as well.
    SynQueueFullDrop,
    /// The same with SYN cookies: they were answered.
    SynQueueFullCookies,
    /// Packets that connection tracking refused, nearly all because the table was full.
    ConntrackDrop,
    /// Connections that connection tracking could not keep; each refused packet is in [`Self::ConntrackDrop`] as well.
    ConntrackInsertFailed,
    /// Packets whose chain of connection tracking's hash table was too long (`chaintoolong`, in the column `chainlength`
    /// since 5.15); each is in [`Self::ConntrackInsertFailed`] as well.
    ConntrackChainTooLong,
    /// Connections without an answer that connection tracking removed to make room.
    ConntrackEarlyDrop,
    /// Packets that connection tracking has no connection for. They go on, unless a rule drops them.
    ConntrackInvalid,
}

/// The kind of a counter of lost packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packets with a drop event each, which can be balanced.
    Packets,
    /// Lost packets, not all of them with an event.
    Counted,
    /// No packets, packets that went on, or some that another counter has.
    Signal,
}

impl DeviceCounter {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::RxDropped, Self::TxDropped, Self::RxNohandler];

    /// The kernel's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RxDropped => "rx_dropped",
            Self::TxDropped => "tx_dropped",
            Self::RxNohandler => "rx_nohandler",
        }
    }
}

impl NamespaceCounter {
    /// Every one.
    pub const ALL: [Self; 24] = [
        Self::TcpInCsumErrors,
        Self::UdpInCsumErrors,
        Self::Udp6InCsumErrors,
        Self::UdpRcvbufErrors,
        Self::Udp6RcvbufErrors,
        Self::UdpNoPorts,
        Self::Udp6NoPorts,
        Self::UdpIgnoredMulti,
        Self::ReasmFails,
        Self::InHdrErrors,
        Self::Ip6InHdrErrors,
        Self::InNoRoutes,
        Self::InAddrErrors,
        Self::Ip6InAddrErrors,
        Self::ReversePathFilter,
        Self::ListenOverflows,
        Self::ListenDrops,
        Self::SynQueueFullDrop,
        Self::SynQueueFullCookies,
        Self::ConntrackDrop,
        Self::ConntrackInsertFailed,
        Self::ConntrackChainTooLong,
        Self::ConntrackEarlyDrop,
        Self::ConntrackInvalid,
    ];

    /// Those that the ledger balances.
    pub const BALANCED: [Self; 3] = [
        Self::TcpInCsumErrors,
        Self::UdpInCsumErrors,
        Self::Udp6InCsumErrors,
    ];

    /// The kernel's name of it, as [`Namespace::increase`](crate::evidence::Namespace::increase) takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TcpInCsumErrors => "Tcp.InCsumErrors",
            Self::UdpInCsumErrors => "Udp.InCsumErrors",
            Self::Udp6InCsumErrors => "Udp6.InCsumErrors",
            Self::UdpRcvbufErrors => "Udp.RcvbufErrors",
            Self::Udp6RcvbufErrors => "Udp6.RcvbufErrors",
            Self::UdpNoPorts => "Udp.NoPorts",
            Self::Udp6NoPorts => "Udp6.NoPorts",
            Self::UdpIgnoredMulti => "Udp.IgnoredMulti",
            Self::ReasmFails => "Ip.ReasmFails",
            Self::InHdrErrors => "Ip.InHdrErrors",
            Self::Ip6InHdrErrors => "Ip6.InHdrErrors",
            Self::InNoRoutes => "IpExt.InNoRoutes",
            Self::InAddrErrors => "Ip.InAddrErrors",
            Self::Ip6InAddrErrors => "Ip6.InAddrErrors",
            Self::ReversePathFilter => "TcpExt.IPReversePathFilter",
            Self::ListenOverflows => "TcpExt.ListenOverflows",
            Self::ListenDrops => "TcpExt.ListenDrops",
            Self::SynQueueFullDrop => "TcpExt.TCPReqQFullDrop",
            Self::SynQueueFullCookies => "TcpExt.TCPReqQFullDoCookies",
            Self::ConntrackDrop => "Conntrack.drop",
            Self::ConntrackInsertFailed => "Conntrack.insert_failed",
            Self::ConntrackChainTooLong => "Conntrack.chainlength",
            Self::ConntrackEarlyDrop => "Conntrack.early_drop",
            Self::ConntrackInvalid => "Conntrack.invalid",
        }
    }

    /// The kind of the counter.
    pub fn kind(self) -> Kind {
        match self {
            Self::TcpInCsumErrors
            | Self::UdpInCsumErrors
            | Self::Udp6InCsumErrors
            | Self::UdpRcvbufErrors
            | Self::Udp6RcvbufErrors
            | Self::UdpNoPorts
            | Self::Udp6NoPorts
            | Self::InHdrErrors
            | Self::Ip6InHdrErrors
            | Self::InNoRoutes
            | Self::InAddrErrors
            | Self::Ip6InAddrErrors
            | Self::ReversePathFilter
            | Self::ConntrackDrop => Kind::Packets,
            Self::ListenOverflows | Self::ListenDrops | Self::ReasmFails => Kind::Counted,
            Self::UdpIgnoredMulti
            | Self::SynQueueFullDrop
            | Self::SynQueueFullCookies
            | Self::ConntrackInsertFailed
            | Self::ConntrackChainTooLong
            | Self::ConntrackEarlyDrop
            | Self::ConntrackInvalid => Kind::Signal,
        }
    }
}
