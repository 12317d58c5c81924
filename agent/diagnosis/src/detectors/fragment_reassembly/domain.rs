//! A broadcast domain that interfaces of one namespace share, as copies of frames show it.

use std::net::IpAddr;

use crate::evidence::{FrameCopy, Link, Namespace};

/// Sender and receiver of a packet.
pub(super) type Ends = (IpAddr, IpAddr);

/// Interfaces of one namespace on which copies of the same frames came in.
#[derive(Debug)]
pub(super) struct Domain<'a> {
    pub(super) namespace: &'a Namespace,
    /// At least two, by their indices.
    pub(super) links: Vec<&'a Link>,
    pub(super) copies: Vec<FrameCopy>,
    /// The place where the copies were seen.
    pub(super) seen: Seen,
}

/// The place where frames were seen twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Both copies were seen when they came in.
    ComingIn,
    /// Fragments of one group's flow were dropped on both interfaces, some of them because their copy was there.
    Dropped,
}

impl Domain<'_> {
    pub(super) fn has(&self, ifindex: u32) -> bool {
        self.links.iter().any(|link| link.ifindex == ifindex)
    }

    /// Fragments with these ends came in on two of the interfaces.
    pub(super) fn fragments(&self, ends: &Ends) -> bool {
        let mut copies = self.copies.iter();
        copies.any(|copy| copy.fragments && same_ends(copy) == Some(*ends))
    }

    /// A program of the namespace joined one of the groups that fragments came for; `None` where that could not
    /// be read, or where they were no group's.
    pub(super) fn has_receiver(&self) -> Option<bool> {
        let joined = self.namespace.multicast_groups.as_ref()?;
        let flows = self.fragmented_flows();
        let mut groups = flows.iter().map(|(_, group)| group);
        if flows.is_empty() || !groups.clone().all(IpAddr::is_multicast) {
            return None;
        }
        Some(groups.any(|group| joined.contains(group)))
    }

    /// The ends of every flow whose fragments came in on two of the interfaces, most frequent first.
    pub(super) fn fragmented_flows(&self) -> Vec<Ends> {
        let mut flows = Vec::new();
        for copy in self.copies.iter().filter(|copy| copy.fragments) {
            if let Some(ends) = same_ends(copy)
                && !flows.contains(&ends)
            {
                flows.push(ends);
            }
        }
        flows
    }

    /// Frames that came in twice.
    pub(super) fn copied(&self) -> u64 {
        let counts = self.copies.iter().map(|copy| copy.count);
        counts.fold(0, u64::saturating_add)
    }

    /// Frames with IP addresses were seen to come in twice; what ARP asks may be asked in two networks.
    pub(super) fn is_proved(&self) -> bool {
        let mut copies = self.copies.iter();
        self.seen == Seen::ComingIn && copies.any(|copy| copy.destination.is_some())
    }
}

fn same_ends(copy: &FrameCopy) -> Option<Ends> {
    Some((copy.source?, copy.destination?))
}
