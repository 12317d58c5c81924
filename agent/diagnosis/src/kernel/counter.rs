//! The counters of dropped packets that the ledger balances: each rises by one with each event.

/// A counter of a device (`rtnl_link_stats64`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceCounter {
    /// Packets that the device or the stack did not take in.
    RxDropped,
    /// Packets that were not sent.
    TxDropped,
    /// Packets that an inactive port of a bond or team received.
    RxNohandler,
}

/// A counter of wrong checksums of a namespace: `InCsumErrors` of its MIBs (/proc/net/snmp, /proc/net/snmp6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChecksumCounter {
    /// TCP over IPv4 and IPv6: there is one TCP MIB for both.
    Tcp,
    /// UDP over IPv4.
    Udp,
    /// UDP over IPv6.
    Udp6,
}

impl DeviceCounter {
    /// Every counter of a device that the ledger balances.
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

impl ChecksumCounter {
    /// Every counter of a namespace that the ledger balances.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Udp6];

    /// The kernel's name of it, as [`Namespace::increase`](crate::evidence::Namespace::increase) takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "Tcp.InCsumErrors",
            Self::Udp => "Udp.InCsumErrors",
            Self::Udp6 => "Udp6.InCsumErrors",
        }
    }
}
