//! The counters that the ledger balances.

use crate::evidence::{Link, Namespace, NetnsId};

/// A counter of a device (`rtnl_link_stats64`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DeviceCounter {
    RxDropped,
    TxDropped,
    RxNohandler,
}

/// A counter of wrong checksums of a namespace: `InCsumErrors` of its MIBs (/proc/net/snmp, /proc/net/snmp6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChecksumCounter {
    /// TCP over IPv4 and IPv6: there is one TCP MIB for both.
    Tcp,
    Udp,
    Udp6,
}

/// One counter of one device or namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CounterOf {
    Device {
        netns: NetnsId,
        ifindex: u32,
        counter: DeviceCounter,
    },
    Namespace {
        netns: NetnsId,
        counter: ChecksumCounter,
    },
}

impl DeviceCounter {
    pub(super) const ALL: [Self; 3] = [Self::RxDropped, Self::TxDropped, Self::RxNohandler];

    /// The kernel's name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RxDropped => "rx_dropped",
            Self::TxDropped => "tx_dropped",
            Self::RxNohandler => "rx_nohandler",
        }
    }

    /// How much it rose on this link within the window.
    pub(super) fn increase(self, link: &Link) -> u64 {
        link.increase(|stats| match self {
            Self::RxDropped => stats.rx_dropped,
            Self::TxDropped => stats.tx_dropped,
            Self::RxNohandler => stats.rx_nohandler,
        })
    }

    /// The same counter of this link.
    pub(super) fn of(self, link: &Link) -> CounterOf {
        CounterOf::Device {
            netns: link.netns,
            ifindex: link.ifindex,
            counter: self,
        }
    }
}

impl ChecksumCounter {
    pub(super) const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Udp6];

    /// The kernel's name of it, as [`Namespace::increase`] takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "Tcp.InCsumErrors",
            Self::Udp => "Udp.InCsumErrors",
            Self::Udp6 => "Udp6.InCsumErrors",
        }
    }

    /// How much it rose in this namespace within the window; 0 where it was not read.
    pub(super) fn increase(self, namespace: &Namespace) -> u64 {
        namespace.increase(self.name()).unwrap_or(0)
    }
}
