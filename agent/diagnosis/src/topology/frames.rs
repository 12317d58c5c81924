//! Which links hand each other's frames on: a bridge and its ports, a VLAN device and what it runs over.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use super::Topology;
use crate::evidence::{Link, LinkId, LinkKind};

/// More devices than this on one segment are not walked; a node's bridge with more ports would make the search costly,
/// and the answer ("somewhere on this bridge") worthless.
const SEGMENT_LIMIT: usize = 1_024;

impl<'e> Topology<'e> {
    /// True if a frame that came in on one of the two comes in on the other by design: they are a master and its port,
    /// a device and another that runs over it (VLAN, macvlan, ipvlan, tunnels), or the two ends of a veth that never
    /// leaves its namespace, however indirectly.
    pub fn are_joined(&self, one: LinkId, other: LinkId) -> bool {
        let group = |link| self.groups.get(&link);
        one == other || group(one).is_some_and(|of_one| group(other) == Some(of_one))
    }

    /// The device that takes in what comes in on this one: its master's master, or itself where it has none.
    pub fn top(&self, link: LinkId) -> LinkId {
        let mut top = link;
        let mut passed = BTreeSet::from([link]);
        while let Some(master) = self.links.get(&top).and_then(|link| link.master_id())
            && passed.insert(master)
        {
            top = master;
        }
        top
    }

    /// The VLAN device of this id over a device or one of its masters.
    pub fn vlan(&self, link: LinkId, id: u16) -> Option<LinkId> {
        let mut lower = link;
        let mut passed = BTreeSet::from([link]);
        loop {
            if let Some(vlan) = self.vlans.get(&(lower, id)) {
                return Some(*vlan);
            }
            lower = self.links.get(&lower)?.master_id()?;
            if !passed.insert(lower) {
                return None;
            }
        }
    }

    /// The links that share a layer 2 segment with this one: itself, its veth peer, and whatever a bridge joins to
    /// them.
    pub fn segment(&self, start: &'e Link) -> BTreeSet<LinkId> {
        let mut reached = BTreeSet::from([start.id()]);
        let mut pending = vec![start];
        while let Some(link) = pending.pop() {
            let is_bridge = |device: &Link| device.kind == Some(LinkKind::Bridge);
            let peer = self.veth_peer(link).into_iter();
            let bridge = self.master(link).filter(|master| is_bridge(master));
            let ports = self.ports(link).filter(|_| is_bridge(link));
            for next in peer.chain(bridge).chain(ports) {
                if reached.len() < SEGMENT_LIMIT && reached.insert(next.id()) {
                    pending.push(next);
                }
            }
        }
        reached
    }
}

/// The number of the group of each link that is joined to another one.
pub(super) fn groups(links: &[Link]) -> HashMap<LinkId, usize> {
    let mut neighbours: HashMap<LinkId, Vec<LinkId>> = HashMap::new();
    for link in links {
        // The other end of a veth in another namespace is another machine as far as frames are concerned.
        let peer = link
            .peer
            .as_ref()
            .filter(|peer| peer.netns == Some(link.netns));
        let inner_end = peer.filter(|_| link.is_veth());
        let inner_end = inner_end.map(|peer| (link.netns, peer.ifindex));
        for other in [link.master_id(), link.lower_id(), inner_end]
            .into_iter()
            .flatten()
        {
            neighbours.entry(link.id()).or_default().push(other);
            neighbours.entry(other).or_default().push(link.id());
        }
    }
    let mut groups = HashMap::with_capacity(neighbours.len());
    for (group, start) in neighbours.keys().enumerate() {
        let mut pending = vec![*start];
        while let Some(link) = pending.pop() {
            if let Entry::Vacant(entry) = groups.entry(link) {
                entry.insert(group);
                pending.extend(neighbours.get(&link).into_iter().flatten());
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::{Peer, VlanSettings},
        testing::{NODE, POD, link, veth},
    };

    fn over(mut upper: Link, kind: LinkKind, lower: LinkId) -> Link {
        upper.kind = Some(kind);
        upper.peer = Some(Peer {
            netns: Some(lower.0),
            ifindex: lower.1,
        });
        upper
    }

    fn slave(mut port: Link, master: u32) -> Link {
        port.master = Some(master);
        port
    }

    fn vlan(upper: Link, lower: u32, id: u16) -> Link {
        let mut upper = over(upper, LinkKind::Vlan, (NODE, lower));
        upper.vlan = Some(VlanSettings { id });
        upper
    }

    #[test]
    fn a_port_belongs_to_the_topmost_master() {
        let links = [
            slave(link(NODE, 2, "eth0"), 3),
            slave(link(NODE, 3, "bond0"), 4),
            link(NODE, 4, "br0"),
            link(NODE, 5, "eth1"),
        ];
        let topology = Topology::of(&links);
        assert_eq!(topology.top((NODE, 2)), (NODE, 4));
        assert_eq!(topology.top((NODE, 5)), (NODE, 5));
        assert!(topology.are_joined((NODE, 2), (NODE, 4)));
        assert!(!topology.are_joined((NODE, 5), (NODE, 4)));
        assert!(!topology.are_joined((NODE, 5), (NODE, 6)));
    }

    #[test]
    fn uppers_of_one_device_belong_together_even_from_another_namespace() {
        let links = [
            link(NODE, 2, "eth0"),
            over(link(POD, 2, "net1"), LinkKind::MacVlan, (NODE, 2)),
            over(link(POD, 3, "net2"), LinkKind::MacVlan, (NODE, 2)),
        ];
        assert!(Topology::of(&links).are_joined((POD, 2), (POD, 3)));
    }

    #[test]
    fn a_veth_joins_its_ends_only_within_one_namespace() {
        let within = [
            veth(link(NODE, 2, "v0"), (NODE, 3)),
            veth(link(NODE, 3, "v1"), (NODE, 2)),
        ];
        assert!(Topology::of(&within).are_joined((NODE, 2), (NODE, 3)));
        let across = [
            veth(link(POD, 2, "eth0"), (NODE, 2)),
            veth(link(NODE, 2, "p0"), (POD, 2)),
            slave(link(NODE, 2, "p0"), 9),
            slave(link(NODE, 3, "p1"), 9),
            veth(link(POD, 3, "eth1"), (NODE, 3)),
        ];
        assert!(!Topology::of(&across).are_joined((POD, 2), (POD, 3)));
    }

    #[test]
    fn a_vlan_device_is_found_over_the_slave_of_its_bond() {
        let links = [
            slave(link(NODE, 2, "eth0"), 3),
            link(NODE, 3, "bond0"),
            vlan(link(NODE, 4, "bond0.100"), 3, 100),
        ];
        let topology = Topology::of(&links);
        assert_eq!(topology.vlan((NODE, 2), 100), Some((NODE, 4)));
        assert_eq!(topology.vlan((NODE, 2), 200), None);
    }

    #[test]
    fn a_circle_of_masters_ends() {
        let links = [slave(link(NODE, 2, "a"), 3), slave(link(NODE, 3, "b"), 2)];
        let topology = Topology::of(&links);
        assert_eq!(topology.top((NODE, 2)), (NODE, 3));
        assert_eq!(topology.vlan((NODE, 2), 1), None);
    }
}
