//! The counters that the ledger balances, of one device or namespace each.

use crate::{
    evidence::{Link, Namespace, NetnsId},
    kernel::{DeviceCounter, NamespaceCounter},
};

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
        counter: NamespaceCounter,
    },
}

impl DeviceCounter {
    /// The increase of this counter on a link within the window.
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

impl NamespaceCounter {
    /// The increase of this counter in a namespace within the window; 0 where it was not read.
    pub(super) fn increase(self, namespace: &Namespace) -> u64 {
        namespace.increase(self.name()).unwrap_or(0)
    }
}
