//! Whose packet a drop was, judged by the devices that the node really has.

use std::collections::{HashMap, HashSet};

use netdiag_abi::drop::{DropKey, origin};
use netdiag_diagnosis::evidence::{Link, Namespace, NetnsId};

/// Functions that a receiving process runs itself, so that the running task is the packet's receiver: UDP checksums are
/// verified when a socket is read or polled. Elsewhere an interrupt may have put the kernel on any task's back.
const RUN_BY_RECEIVER: [&str; 4] = [
    "udp_recvmsg",
    "udpv6_recvmsg",
    "__first_packet_length",
    "first_packet_length",
];

/// The node's namespaces and devices.
pub(super) struct Places {
    /// The one namespace that each number is believed to mean.
    namespaces: HashMap<u32, u64>,
    devices: HashSet<(u32, u32)>,
}

impl Places {
    /// `keys` are all that were counted in the window: where a namespace's cookie is unknown, its number is believed
    /// only if it meant one namespace throughout, since numbers are given again at once.
    pub(super) fn new<'a>(
        namespaces: &[Namespace],
        links: &[Link],
        keys: impl Iterator<Item = &'a DropKey>,
        has_cookies: bool,
    ) -> Self {
        let mut seen: HashMap<u32, HashSet<u64>> = HashMap::new();
        for key in keys.filter(|key| key.origin != origin::NONE) {
            seen.entry(key.inum).or_default().insert(key.net);
        }
        let lone = |number: u32| match seen.get(&number) {
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
                .iter()
                .map(|link| (link.netns.0, link.ifindex))
                .collect(),
        }
    }

    /// The device that a key's drops were on; `None` when no device of this node can be told.
    pub(super) fn device(&self, key: &DropKey, location: &str) -> Option<(NetnsId, u32)> {
        let is_plausible = match key.origin {
            origin::DEVICE | origin::SOCKET | origin::ROUTE => true,
            origin::TASK => RUN_BY_RECEIVER.contains(&location),
            _ => false,
        };
        let is_known = self.namespaces.get(&key.inum) == Some(&key.net)
            && self.devices.contains(&(key.inum, key.ifindex));
        (is_plausible && is_known).then_some((NetnsId(key.inum), key.ifindex))
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

    fn key(net: u64, inum: u32, ifindex: u32, origin: u16) -> DropKey {
        DropKey {
            net,
            inum,
            ifindex,
            origin,
            ..DropKey::default()
        }
    }

    /// Whether a key's device is believed, in a window that saw all of `keys`.
    fn believed(namespaces: &[Namespace], keys: &[DropKey], key: &DropKey) -> bool {
        Places::new(namespaces, &[link(100, 2)], keys.iter(), true)
            .device(key, "udp_recvmsg")
            .is_some()
    }

    #[test]
    fn believes_a_device_that_the_node_has() {
        let drop = key(7, 100, 2, origin::DEVICE);
        assert!(believed(&[namespace(100, Some(7))], &[drop], &drop));
    }

    #[test]
    fn does_not_believe_junk_or_another_node_s_device() {
        let namespaces = [namespace(100, Some(7))];
        for drop in [
            key(7, 100, 3, origin::DEVICE),
            key(7, 101, 2, origin::DEVICE),
            key(0, 0, 0, origin::NONE),
        ] {
            assert!(!believed(&namespaces, &[drop], &drop), "{drop:?}");
        }
    }

    #[test]
    fn a_reused_number_means_the_namespace_with_the_known_cookie() {
        let (old, new) = (
            key(6, 100, 2, origin::DEVICE),
            key(7, 100, 2, origin::DEVICE),
        );
        let namespaces = [namespace(100, Some(7))];
        assert!(!believed(&namespaces, &[old, new], &old));
        assert!(believed(&namespaces, &[old, new], &new));
    }

    #[test]
    fn without_a_cookie_only_a_number_that_meant_one_namespace_is_believed() {
        let (one, other) = (
            key(6, 100, 2, origin::DEVICE),
            key(7, 100, 2, origin::DEVICE),
        );
        let namespaces = [namespace(100, None)];
        assert!(believed(&namespaces, &[one], &one));
        assert!(!believed(&namespaces, &[one, other], &one));
    }

    #[test]
    fn a_route_is_believed_as_far_as_its_device_is_known() {
        let namespaces = [namespace(100, Some(7))];
        let drop = key(7, 100, 2, origin::ROUTE);
        assert!(believed(&namespaces, &[drop], &drop));
        let junk = key(9, 100, 2, origin::ROUTE);
        assert!(!believed(&namespaces, &[drop, junk], &junk));
    }

    #[test]
    fn the_running_task_is_believed_only_where_it_is_the_receiver() {
        let drop = key(7, 100, 2, origin::TASK);
        let places = Places::new(
            &[namespace(100, Some(7))],
            &[link(100, 2)],
            [drop].iter(),
            true,
        );
        assert!(places.device(&drop, "udp_recvmsg").is_some());
        assert_eq!(places.device(&drop, "inet_frag_rbtree_purge"), None);
        assert_eq!(places.device(&drop, ""), None);
    }
}
