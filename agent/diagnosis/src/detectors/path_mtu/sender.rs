//! The pods and guests of this node that sent the packets.

use std::net::IpAddr;

use crate::{
    Window,
    evidence::{Link, Namespace, NetnsId},
};

/// A device of this node that sends longer packets than the way onward takes.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) link: &'a Link,
    /// ICMP errors of that kind that its namespace received within the window; 0 where its counters were not read.
    pub(super) told: u64,
    has_ipv6: bool,
}

/// The least MTU that IPv6 works with (IPV6_MIN_MTU): a device with less loses its IPv6 addresses.
const LEAST_OF_IPV6: u32 = 1280;

impl<'a> Sender<'a> {
    /// The namespace beside the forwarding one that has this address, where there is one only.
    pub(super) fn of(window: &'a Window<'_>, forwarder: NetnsId, address: IpAddr) -> Option<Self> {
        let holders = window.holders_of(address).iter();
        let mut others = holders.filter(|(holder, _)| holder.id != forwarder);
        let ((namespace, ifindex), None) = (others.next()?, others.next()) else {
            return None;
        };
        let link = window.topology.link(namespace.id, *ifindex)?;
        let counter = match address {
            IpAddr::V4(_) => "Icmp.InDestUnreachs",
            IpAddr::V6(_) => "Icmp6.InPktTooBigs",
        };
        let mut own = namespace.addresses.iter();
        Some(Self {
            namespace,
            link,
            told: namespace.increase(counter).unwrap_or_default(),
            has_ipv6: own.any(|own| own.ifindex == *ifindex && own.address.is_ipv6()),
        })
    }

    /// Its device may be given this MTU.
    pub(super) fn takes(&self, mtu: u32) -> bool {
        self.link.mtu > mtu && (mtu >= LEAST_OF_IPV6 || !self.has_ipv6)
    }
}
