//! Which links hand each other's frames on: a bridge and its ports, a VLAN device and what it runs over.

use std::collections::{BTreeSet, HashMap};

use super::{Link, LinkKind, NetnsId};

/// A link by its namespace and index.
pub type LinkId = (NetnsId, u32);

/// Where lower devices are that live in a namespace which could not be named; no real namespace has this number.
const UNNAMED: NetnsId = NetnsId(0);

/// The links of a node in groups, within which a frame that came in on one comes in on others by design.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    masters: HashMap<LinkId, LinkId>,
    vlans: HashMap<(LinkId, u16), LinkId>,
    neighbours: HashMap<LinkId, Vec<LinkId>>,
}

impl Stacks {
    /// Groups these links: masters with their slaves, devices with those that run over them (VLAN, macvlan, ipvlan,
    /// tunnels), and the two ends of a veth that never leaves its namespace.
    pub fn of(links: &[Link]) -> Self {
        let mut stacks = Self::default();
        for link in links {
            let id = (link.netns, link.ifindex);
            if let Some(master) = link.master {
                let master = (link.netns, master);
                stacks.masters.insert(id, master);
                stacks.join(id, master);
            }
            let Some(peer) = &link.peer else {
                continue;
            };
            let lower = (peer.netns.unwrap_or(UNNAMED), peer.ifindex);
            // The other end of a veth in another namespace is another machine as far as frames are concerned.
            if link.kind != Some(LinkKind::Veth) || lower.0 == link.netns {
                stacks.join(id, lower);
            }
            if let Some(vlan) = link.vlan {
                stacks.vlans.insert((lower, vlan.id), id);
            }
        }
        stacks
    }

    fn join(&mut self, one: LinkId, other: LinkId) {
        self.neighbours.entry(one).or_default().push(other);
        self.neighbours.entry(other).or_default().push(one);
    }

    /// The device that takes in what comes in on this one: its master's master, or itself where it has none.
    pub fn top(&self, link: LinkId) -> LinkId {
        let mut top = link;
        let mut passed = BTreeSet::from([link]);
        while let Some(master) = self.masters.get(&top)
            && passed.insert(*master)
        {
            top = *master;
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
            lower = *self.masters.get(&lower)?;
            if !passed.insert(lower) {
                return None;
            }
        }
    }

    /// Every link that belongs to the same group, this one too.
    pub fn group(&self, link: LinkId) -> BTreeSet<LinkId> {
        let mut group = BTreeSet::from([link]);
        let mut waiting = vec![link];
        while let Some(next) = waiting.pop() {
            for neighbour in self.neighbours.get(&next).into_iter().flatten() {
                if group.insert(*neighbour) {
                    waiting.push(*neighbour);
                }
            }
        }
        group
    }

    /// Whether a frame that came in on one of the two comes in on the other by design.
    pub fn are_joined(&self, one: LinkId, other: LinkId) -> bool {
        self.group(one).contains(&other)
    }
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
        let stacks = Stacks::of(&links);
        assert_eq!(stacks.top((NODE, 2)), (NODE, 4));
        assert_eq!(stacks.top((NODE, 5)), (NODE, 5));
        assert!(stacks.are_joined((NODE, 2), (NODE, 4)));
        assert!(!stacks.are_joined((NODE, 5), (NODE, 4)));
    }

    #[test]
    fn uppers_of_one_device_belong_together_even_from_another_namespace() {
        let links = [
            link(NODE, 2, "eth0"),
            over(link(POD, 2, "net1"), LinkKind::MacVlan, (NODE, 2)),
            over(link(POD, 3, "net2"), LinkKind::MacVlan, (NODE, 2)),
        ];
        assert!(Stacks::of(&links).are_joined((POD, 2), (POD, 3)));
    }

    #[test]
    fn a_veth_joins_its_ends_only_within_one_namespace() {
        let within = [
            veth(link(NODE, 2, "v0"), (NODE, 3)),
            veth(link(NODE, 3, "v1"), (NODE, 2)),
        ];
        assert!(Stacks::of(&within).are_joined((NODE, 2), (NODE, 3)));
        let across = [
            veth(link(POD, 2, "eth0"), (NODE, 2)),
            veth(link(NODE, 2, "p0"), (POD, 2)),
            slave(link(NODE, 2, "p0"), 9),
            slave(link(NODE, 3, "p1"), 9),
            veth(link(POD, 3, "eth1"), (NODE, 3)),
        ];
        assert!(!Stacks::of(&across).are_joined((POD, 2), (POD, 3)));
    }

    #[test]
    fn a_vlan_device_is_found_over_the_slave_of_its_bond() {
        let links = [
            slave(link(NODE, 2, "eth0"), 3),
            link(NODE, 3, "bond0"),
            vlan(link(NODE, 4, "bond0.100"), 3, 100),
        ];
        let stacks = Stacks::of(&links);
        assert_eq!(stacks.vlan((NODE, 2), 100), Some((NODE, 4)));
        assert_eq!(stacks.vlan((NODE, 2), 200), None);
    }

    #[test]
    fn a_circle_of_masters_ends() {
        let links = [slave(link(NODE, 2, "a"), 3), slave(link(NODE, 3, "b"), 2)];
        let stacks = Stacks::of(&links);
        assert_eq!(stacks.top((NODE, 2)), (NODE, 3));
        assert_eq!(stacks.vlan((NODE, 2), 1), None);
    }
}
