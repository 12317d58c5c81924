//! A window's evidence as detectors read it.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    ops::Deref,
};

use crate::{
    evidence::{
        DropCount, DropPlace, EvidenceWindow, ExplainedRetransmissions, Link, LinkId, Namespace,
        NetnsId, PacketSample, PacketSocket, TunHolder,
    },
    topology::Topology,
};

/// The first packets of a drop key, which the probe samples all.
const FIRST_SAMPLES: u64 = 4;

/// The evidence, and indexes of what detectors look up in it: no look-up walks a list.
pub struct Window<'e> {
    evidence: &'e EvidenceWindow,
    /// The connections between the links.
    pub topology: Topology<'e>,
    ended: HashSet<LinkId>,
    namespaces: HashMap<NetnsId, &'e Namespace>,
    addresses: HashMap<IpAddr, Vec<(&'e Namespace, u32)>>,
    drops: HashMap<LinkId, Vec<usize>>,
    drops_in: HashMap<Option<NetnsId>, Vec<&'e DropCount>>,
    samples: HashMap<usize, Vec<&'e PacketSample>>,
    retransmitted: HashMap<DropPlace<'e>, Vec<&'e ExplainedRetransmissions>>,
    sockets: HashMap<LinkId, Vec<&'e PacketSocket>>,
    tun_holders: HashMap<&'e str, Vec<&'e TunHolder>>,
}

impl<'e> Window<'e> {
    /// Indexes this evidence.
    pub fn of(evidence: &'e EvidenceWindow) -> Self {
        let mut window = Self {
            evidence,
            topology: Topology::of(evidence.links()).with_ended(&evidence.ended_links),
            ended: evidence.ended_links.iter().map(Link::id).collect(),
            namespaces: HashMap::new(),
            addresses: HashMap::new(),
            drops: HashMap::new(),
            drops_in: HashMap::new(),
            samples: HashMap::new(),
            retransmitted: HashMap::new(),
            sockets: HashMap::new(),
            tun_holders: HashMap::new(),
        };
        for namespace in &evidence.namespaces {
            window.namespaces.entry(namespace.id).or_insert(namespace);
            for held in &namespace.addresses {
                let holders = window.addresses.entry(held.address).or_default();
                if holders
                    .last()
                    .is_none_or(|(last, _)| last.id != namespace.id)
                {
                    holders.push((namespace, held.ifindex));
                }
            }
        }
        if let Some(drops) = evidence.drops.value() {
            for (drop, key) in drops.counts.iter().enumerate() {
                window.drops_in.entry(key.netns).or_default().push(key);
                if let Some(netns) = key.netns {
                    let of_link = window.drops.entry((netns, key.ifindex)).or_default();
                    of_link.push(drop);
                }
            }
            for sample in &drops.samples {
                window.samples.entry(sample.key).or_default().push(sample);
            }
        }
        let retransmissions = evidence.retransmissions.value().into_iter();
        for row in retransmissions.flat_map(|seen| &seen.explained) {
            let after = window.retransmitted.entry(row.place()).or_default();
            after.push(row);
        }
        for socket in evidence.packet_sockets.value().into_iter().flatten() {
            for membership in &socket.memberships {
                let link = (socket.netns, membership.ifindex);
                let members = window.sockets.entry(link).or_default();
                if members
                    .last()
                    .is_none_or(|last| !std::ptr::eq(*last, socket))
                {
                    members.push(socket);
                }
            }
        }
        for holder in evidence.tun_holders.value().into_iter().flatten() {
            let of_name = window.tun_holders.entry(&holder.device).or_default();
            of_name.push(holder);
        }
        window
    }

    /// The namespace with this id, if it is one of this node's.
    pub fn namespace(&self, id: NetnsId) -> Option<&'e Namespace> {
        self.namespaces.get(&id).copied()
    }

    /// The namespaces that hold this address, each with the index of the link that has it.
    pub fn holders_of(&self, address: IpAddr) -> &[(&'e Namespace, u32)] {
        self.addresses.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The drop keys of this link.
    pub fn drops_on(&self, link: &Link) -> &[usize] {
        self.drops.get(&link.id()).map_or(&[], Vec::as_slice)
    }

    /// The drop keys of this namespace, or those of which none is known.
    pub(crate) fn drops_in(&self, netns: Option<NetnsId>) -> &[&'e DropCount] {
        self.drops_in.get(&netns).map_or(&[], Vec::as_slice)
    }

    /// The sampled packets of a drop key.
    pub fn samples_of(&self, drop: usize) -> impl Iterator<Item = &'e PacketSample> {
        self.samples.get(&drop).into_iter().flatten().copied()
    }

    /// The link is gone at the end of the window, and its counters with it.
    pub fn has_ended(&self, link: &Link) -> bool {
        self.ended.contains(&link.id())
    }

    /// Fewer packets of this drop key were seen than the probe samples of each: the ring was full, or the evidence was
    /// cut.
    pub fn lacks_samples(&self, drop: usize) -> bool {
        let counts = self
            .evidence
            .drops
            .value()
            .map_or(&[][..], |drops| &drops.counts);
        let wanted = counts
            .get(drop)
            .map_or(0, |key| key.count.min(FIRST_SAMPLES));
        let seen = self.samples.get(&drop).map_or(0, Vec::len);
        u64::try_from(seen).is_ok_and(|seen| seen < wanted)
    }

    /// Retransmissions of what was dropped at this place.
    pub(crate) fn retransmitted_after<'a>(
        &'a self,
        place: &DropPlace<'a>,
    ) -> &'a [&'e ExplainedRetransmissions] {
        self.retransmitted.get(place).map_or(&[], Vec::as_slice)
    }

    /// The packet sockets with a membership on this link.
    pub fn sockets_on(&self, link: &Link) -> impl Iterator<Item = &'e PacketSocket> {
        self.sockets.get(&link.id()).into_iter().flatten().copied()
    }

    /// The processes that hold this TUN, TAP, macvtap or ipvtap device open.
    pub(crate) fn tun_holders_of(&self, link: &Link) -> Vec<&'e TunHolder> {
        let of_name = self.tun_holders.get(link.name.as_str());
        let of_name = of_name.map_or(&[][..], Vec::as_slice);
        self.topology.holders(link, of_name)
    }
}

impl Deref for Window<'_> {
    type Target = EvidenceWindow;

    fn deref(&self) -> &EvidenceWindow {
        self.evidence
    }
}
