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
        links: impl IntoIterator<Item = &'a Link>,
        keys: impl Iterator<Item = &'a DropKey>,
        has_cookies: bool,
    ) -> Self {
        let seen = keys.filter(|key| key.origin != origin::NONE).map(namespace);
        Self(places::Places::new(namespaces, links, seen, has_cookies))
    }

    /// The same with more devices.
    pub(super) fn with(mut self, links: &[Link]) -> Self {
        self.0.add(links);
        self
    }

    /// The device of this name that a key's drops were on, if the node has it no more: it came and went between two
    /// readings, in a namespace of the node's.
    pub(super) fn gone(&self, key: &DropKey, name: &str) -> Option<Link> {
        let has_name = matches!(key.origin, origin::DEVICE | origin::SENT) && key.ifindex != 0;
        let netns = self.0.namespace(namespace(key)).filter(|_| has_name)?;
        let link = Link {
            netns,
            ifindex: key.ifindex,
            name: name.to_owned(),
            ..Link::default()
        };
        let is_there = self.0.device(namespace(key), key.ifindex).is_some();
        (!is_there).then_some(link)
    }

    /// The namespace of a key whose device is not known: of a packet that a program there sends.
    pub(in crate::probes) fn namespace(&self, key: &DropKey) -> Option<NetnsId> {
        let netns = self.0.namespace(namespace(key));
        netns.filter(|_| key.origin == origin::SENT)
    }

    /// The device that a key's drops were on; `None` when no device of this node can be told.
    pub(in crate::probes) fn device(
        &self,
        key: &DropKey,
        location: &Function,
    ) -> Option<(NetnsId, u32)> {
        let is_plausible = match key.origin {
            origin::DEVICE | origin::SOCKET | origin::ROUTE | origin::SENT | origin::OWNER => true,
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
    fn what_a_program_sends_is_in_its_namespace_whether_a_device_is_known_or_not() {
        let places = |one: &DropKey| DropPlaces::new(&namespaces(), &links(), [*one].iter(), true);
        let sent = key(7, NAMESPACE, origin::SENT);
        assert!(believed(&sent, "nf_hook_slow"));
        let unrouted = DropKey { ifindex: 0, ..sent };
        assert!(!believed(&unrouted, "nf_hook_slow"));
        assert_eq!(
            places(&unrouted).namespace(&unrouted),
            Some(NetnsId(NAMESPACE))
        );
        let junk = DropKey {
            ifindex: 9,
            ..key(7, NAMESPACE, origin::DEVICE)
        };
        assert_eq!(places(&junk).namespace(&junk), None);
        let strange = DropKey { net: 9, ..sent };
        assert_eq!(places(&strange).namespace(&strange), None);
    }

    #[test]
    fn a_device_that_a_sample_names_is_one_that_has_gone() {
        let places = |one: &DropKey| DropPlaces::new(&namespaces(), &links(), [*one].iter(), true);
        let here = key(7, NAMESPACE, origin::DEVICE);
        assert_eq!(places(&here).gone(&here, "eth0"), None);
        let gone = DropKey { ifindex: 9, ..here };
        let link = places(&gone).gone(&gone, "eth9").unwrap();
        assert_eq!(
            (link.id(), link.name.as_str()),
            ((NetnsId(NAMESPACE), 9), "eth9")
        );
        let with = places(&gone).with(&[link]);
        assert!(with.device(&gone, &"ip_rcv_core".into()).is_some());
        let strange = DropKey { net: 9, ..gone };
        assert_eq!(places(&strange).gone(&strange, "eth9"), None);
    }

    #[test]
    fn the_running_task_is_believed_only_where_it_is_the_receiver() {
        let drop = key(7, NAMESPACE, origin::TASK);
        assert!(believed(&drop, "udp_recvmsg"));
        assert!(!believed(&drop, "inet_frag_rbtree_purge"));
        assert!(!believed(&drop, ""));
    }
}
