//! The connections between the links of a node.

mod filters;
mod frames;
mod holders;

use std::collections::HashMap;

use crate::evidence::{Link, LinkId, LinkKind, NetnsId};

/// The namespace of lower devices that live in a namespace which could not be named; no real namespace has this number.
const UNNAMED: NetnsId = NetnsId(0);

/// Devices stacked on each other; deeper is a recording that lies.
pub(crate) const DEEPEST: usize = 8;

/// The links of a node, indexed by what they are connected to.
pub struct Topology<'e> {
    links: HashMap<LinkId, &'e Link>,
    by_name: HashMap<&'e str, Vec<&'e Link>>,
    by_namespace: HashMap<NetnsId, Vec<&'e Link>>,
    ports: HashMap<LinkId, Vec<&'e Link>>,
    on_top: HashMap<LinkId, Vec<&'e Link>>,
    vlans: HashMap<(LinkId, u16), LinkId>,
    groups: HashMap<LinkId, usize>,
}

impl<'e> Topology<'e> {
    /// Indexes these links.
    pub fn of(links: &'e [Link]) -> Self {
        let mut topology = Self {
            links: HashMap::with_capacity(links.len()),
            by_name: HashMap::with_capacity(links.len()),
            by_namespace: HashMap::new(),
            ports: HashMap::new(),
            on_top: HashMap::new(),
            vlans: HashMap::new(),
            groups: frames::groups(links),
        };
        for link in links {
            topology.links.entry(link.id()).or_insert(link);
            topology.by_name.entry(&link.name).or_default().push(link);
            let inside = topology.by_namespace.entry(link.netns).or_default();
            inside.push(link);
            if let Some(master) = link.master_id() {
                topology.ports.entry(master).or_default().push(link);
            }
            if let Some(lower) = link.lower_id() {
                topology.on_top.entry(lower).or_default().push(link);
                if let Some(vlan) = link.vlan {
                    topology.vlans.insert((lower, vlan.id), link.id());
                }
            }
        }
        topology
    }

    /// The same, where links that are gone at the end are found by their index too. Nothing is connected to them.
    #[must_use]
    pub fn with_ended(mut self, ended: &'e [Link]) -> Self {
        for link in ended {
            self.links.entry(link.id()).or_insert(link);
        }
        self
    }

    /// The link with this index in this namespace.
    pub fn link(&self, netns: NetnsId, ifindex: u32) -> Option<&'e Link> {
        self.links.get(&(netns, ifindex)).copied()
    }

    /// The links of this namespace.
    pub fn links_in(&self, netns: NetnsId) -> impl Iterator<Item = &'e Link> + Clone {
        self.by_namespace.get(&netns).into_iter().flatten().copied()
    }

    /// The device that this link is enslaved to (bridge, bond, team, Open vSwitch, VRF).
    pub fn master(&self, link: &Link) -> Option<&'e Link> {
        self.links.get(&link.master_id()?).copied()
    }

    /// The ports (slaves) of this device.
    pub fn ports(&self, master: &Link) -> impl Iterator<Item = &'e Link> + Clone {
        self.ports.get(&master.id()).into_iter().flatten().copied()
    }

    /// The other end of a veth, wherever it lives on this node.
    pub fn veth_peer(&self, link: &Link) -> Option<&'e Link> {
        let peer = link.peer.as_ref().filter(|_| link.is_veth())?;
        self.link(peer.netns?, peer.ifindex)
    }

    /// The devices that lie on this one, in whatever namespace.
    pub fn on_top(&self, link: &Link) -> impl Iterator<Item = &'e Link> {
        self.on_top.get(&link.id()).into_iter().flatten().copied()
    }

    /// The devices that may lie on this one: the lower device of each has its index, in a namespace that is not known.
    pub fn maybe_on_top(&self, link: &Link) -> impl Iterator<Item = &'e Link> {
        let unnamed = self.on_top.get(&(UNNAMED, link.ifindex));
        let others = unnamed.into_iter().flatten().copied();
        // The one below a device in another namespace may have the device's own number.
        others.filter(|upper| upper.id() != link.id())
    }
}

impl Link {
    fn is_veth(&self) -> bool {
        self.kind == Some(LinkKind::Veth)
    }

    pub(crate) fn master_id(&self) -> Option<LinkId> {
        Some((self.netns, self.master?))
    }

    /// The device that this one lies on; the other end of a veth is none.
    pub(crate) fn lower_id(&self) -> Option<LinkId> {
        let lower = self.peer.as_ref().filter(|_| !self.is_veth())?;
        Some((lower.netns.unwrap_or(UNNAMED), lower.ifindex))
    }
}
