//! The owner of a dropped packet.

use netdiag_abi::drop::{DropKey, origin};
use netdiag_diagnosis::{
    evidence::{Link, Namespace, NetnsId},
    kernel::{Function, site},
};

use crate::probes::places::{self, SeenNamespace};

/// The node's devices, for drops whose namespace and device come from more or less certain places.
pub(in crate::probes) struct DropPlaces(places::Places);

impl DropPlaces {
    /// `keys` are all that were counted in the window.
    pub(in crate::probes) fn new<'a>(
        namespaces: &[Namespace],
        links: &[Link],
        keys: impl Iterator<Item = &'a DropKey>,
        has_cookies: bool,
    ) -> Self {
        let seen = keys.filter(|key| key.origin != origin::NONE).map(namespace);
        Self(places::Places::new(namespaces, links, seen, has_cookies))
    }

    /// The device that a key's drops were on; `None` when no device of this node can be told.
    pub(in crate::probes) fn device(
        &self,
        key: &DropKey,
        location: &Function,
    ) -> Option<(NetnsId, u32)> {
        let is_plausible = match key.origin {
            origin::DEVICE | origin::SOCKET | origin::ROUTE => true,
            // Only where a receiving process runs the function itself is the running task the packet's receiver.
            // Elsewhere an interrupt may have put the kernel on any task's back.
            origin::TASK => location.is_of_any(site::UDP_READING),
            _ => false,
        };
        let device = self.0.device(namespace(key), key.ifindex);
        device.filter(|_| is_plausible)
    }
}

fn namespace(key: &DropKey) -> SeenNamespace {
    SeenNamespace {
        inum: key.inum,
        net: key.net,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: u32 = 100;

    fn namespaces() -> [Namespace; 1] {
        [Namespace {
            id: NetnsId(NAMESPACE),
            cookie: Some(7),
            ..Namespace::default()
        }]
    }

    fn links() -> [Link; 1] {
        [Link {
            netns: NetnsId(NAMESPACE),
            ifindex: 2,
            ..Link::default()
        }]
    }

    fn key(net: u64, inum: u32, origin: u8) -> DropKey {
        DropKey {
            net,
            inum,
            ifindex: 2,
            origin,
            ..DropKey::default()
        }
    }

    fn believed(key: &DropKey, location: &str) -> bool {
        DropPlaces::new(&namespaces(), &links(), [*key].iter(), true)
            .device(key, &location.into())
            .is_some()
    }

    #[test]
    fn a_drop_without_a_place_has_none() {
        assert!(!believed(&key(0, 0, origin::NONE), "udp_recvmsg"));
    }

    #[test]
    fn a_route_is_believed_as_far_as_its_device_is_known() {
        assert!(believed(&key(7, NAMESPACE, origin::ROUTE), "tcp_v4_rcv"));
        assert!(!believed(&key(9, NAMESPACE, origin::ROUTE), "tcp_v4_rcv"));
    }

    #[test]
    fn the_running_task_is_believed_only_where_it_is_the_receiver() {
        let drop = key(7, NAMESPACE, origin::TASK);
        assert!(believed(&drop, "udp_recvmsg"));
        assert!(!believed(&drop, "inet_frag_rbtree_purge"));
        assert!(!believed(&drop, ""));
    }
}
