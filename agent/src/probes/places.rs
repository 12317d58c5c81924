//! The node's namespaces and devices as what a program saw is matched against them.

use std::collections::{HashMap, HashSet};

use netdiag_diagnosis::evidence::{Link, Namespace, NetnsId};

/// A namespace as a program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeenNamespace {
    /// `net->ns.inum`.
    pub inum: u32,
    /// `net->net_cookie`, or the address of the `struct net` where the kernel gives no cookie at creation.
    pub net: u64,
}

/// The devices that are believed: those that the node really has.
pub(super) struct Places {
    /// The one namespace that each number is believed to mean.
    namespaces: HashMap<u32, u64>,
    devices: HashSet<(u32, u32)>,
}

impl Places {
    /// `seen` are all namespaces of the window: where a namespace's cookie is unknown, its number is believed only if
    /// it meant one namespace throughout, because numbers are given again at once.
    pub(super) fn new<'a>(
        namespaces: &[Namespace],
        links: impl IntoIterator<Item = &'a Link>,
        seen: impl Iterator<Item = SeenNamespace>,
        has_cookies: bool,
    ) -> Self {
        let mut nets: HashMap<u32, HashSet<u64>> = HashMap::new();
        for namespace in seen {
            nets.entry(namespace.inum)
                .or_default()
                .insert(namespace.net);
        }
        let lone = |number: u32| match nets.get(&number) {
            Some(nets) if nets.len() == 1 => nets.iter().next().copied(),
            _ => None,
        };
        Self {
            namespaces: namespaces
                .iter()
                .filter_map(|namespace| {
                    let number = namespace.id.0;
                    let cookie = namespace.cookie.filter(|_| has_cookies);
                    Some((number, cookie.or_else(|| lone(number))?))
                })
                .collect(),
            devices: links
                .into_iter()
                .map(|link| (link.netns.0, link.ifindex))
                .collect(),
        }
    }

    /// Adds devices.
    pub(super) fn add(&mut self, links: &[Link]) {
        let devices = links.iter().map(|link| (link.netns.0, link.ifindex));
        self.devices.extend(devices);
    }

    /// The namespace, if it is the node's.
    pub(super) fn namespace(&self, seen: SeenNamespace) -> Option<NetnsId> {
        let is_known = self.namespaces.get(&seen.inum) == Some(&seen.net);
        is_known.then_some(NetnsId(seen.inum))
    }

    /// The device with this index there, if the node has it.
    pub(super) fn device(&self, seen: SeenNamespace, ifindex: u32) -> Option<(NetnsId, u32)> {
        let netns = self.namespace(seen)?;
        let is_known = self.devices.contains(&(seen.inum, ifindex));
        is_known.then_some((netns, ifindex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(number: u32, cookie: Option<u64>) -> Namespace {
        Namespace {
            id: NetnsId(number),
            cookie,
            ..Namespace::default()
        }
    }

    fn link(number: u32, ifindex: u32) -> Link {
        Link {
            netns: NetnsId(number),
            ifindex,
            ..Link::default()
        }
    }

    fn seen(net: u64, inum: u32) -> SeenNamespace {
        SeenNamespace { inum, net }
    }

    /// True if device 2 of a namespace is believed, in a window that saw all of `all`.
    fn believed(namespaces: &[Namespace], all: &[SeenNamespace], one: SeenNamespace) -> bool {
        Places::new(namespaces, &[link(100, 2)], all.iter().copied(), true)
            .device(one, 2)
            .is_some()
    }

    #[test]
    fn believes_a_device_that_the_node_has() {
        let one = seen(7, 100);
        assert!(believed(&[namespace(100, Some(7))], &[one], one));
    }

    #[test]
    fn does_not_believe_junk_or_another_node_s_device() {
        let namespaces = [namespace(100, Some(7))];
        let other = seen(7, 101);
        assert!(!believed(&namespaces, &[other], other));
        let places = Places::new(
            &namespaces,
            &[link(100, 2)],
            [seen(7, 100)].into_iter(),
            true,
        );
        assert_eq!(places.device(seen(7, 100), 3), None);
    }

    #[test]
    fn a_reused_number_means_the_namespace_with_the_known_cookie() {
        let (old, new) = (seen(6, 100), seen(7, 100));
        let namespaces = [namespace(100, Some(7))];
        assert!(!believed(&namespaces, &[old, new], old));
        assert!(believed(&namespaces, &[old, new], new));
    }

    #[test]
    fn without_a_cookie_only_a_number_that_meant_one_namespace_is_believed() {
        let (one, other) = (seen(6, 100), seen(7, 100));
        let namespaces = [namespace(100, None)];
        assert!(believed(&namespaces, &[one], one));
        assert!(!believed(&namespaces, &[one, other], one));
    }
}
