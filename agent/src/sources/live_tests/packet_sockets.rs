use std::{
    io::Read,
    process::{Child, Command, Stdio},
};

use netdiag_diagnosis::evidence::{
    Link, Membership, MembershipKind, Missing, Observed, PacketSocket, PacketSocketReader, Why,
};

use super::TestNamespace;
use crate::{
    probes::Kernel,
    sources::{HostRoot, NamespaceScope, Sources, ethtool, packet_sockets, pods::Pods},
};

/// Opens a packet socket for LLDP with promiscuous membership of one device, twice, and an ordinary one of another.
const CAPTURE: &str = "\
import os, socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88cc))
join = lambda name, kind: s.setsockopt(263, 1, struct.pack('iHH8s', socket.if_nametoindex(name), kind, 0, b''))
join('p0', 1); join('p0', 1); join('p1', 2)
os.setuid(int(sys.argv[1]))
print('up', flush=True)
time.sleep(300)";

/// A process in a namespace that holds that socket, and ends with this.
pub(super) struct Capture(Child);

impl Capture {
    fn start(namespace: &TestNamespace) -> Self {
        Self::start_as(namespace, "0")
    }

    /// The socket takes root to open; `user` then holds it.
    pub(super) fn start_as(namespace: &TestNamespace, user: &str) -> Self {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &namespace.name, "python3", "-c"])
            .args([CAPTURE, user])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 3];
        child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
        Self(child)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sources() -> Sources {
    Sources::new(HostRoot::new("/"), NamespaceScope::All, &Kernel::load()).unwrap()
}

fn find(sockets: &Observed<Vec<PacketSocket>>, pid: u32) -> &PacketSocket {
    let mut of_process = sockets
        .value()
        .unwrap_or_else(|| panic!("{sockets:?}"))
        .iter()
        .filter(|socket| socket.owner.pid == pid);
    let found = of_process.next().expect("the capture's socket");
    assert_eq!(of_process.next(), None, "one socket is one");
    found
}

fn link(links: &[Link], namespace: &TestNamespace, name: &str) -> Link {
    let found = links
        .iter()
        .find(|link| link.netns == namespace.id() && link.name == name);
    found.unwrap().clone()
}

#[test]
#[ignore = "needs root, namespaces and BPF"]
fn memberships_in_another_namespace_are_read_with_their_owner() {
    let a = TestNamespace::new();
    a.ip("link add p0 type veth peer name p1");
    let capture = Capture::start(&a);
    let sources = sources();
    let discovery = sources.discover().unwrap();
    let (sockets, reader, _) = sources.packet_sockets(&discovery, None);
    assert_eq!(reader, PacketSocketReader::Iterator);
    assert_eq!(sockets.missing(), None);
    let socket = find(&sockets, capture.pid());
    assert_eq!(socket.netns, a.id());
    assert_eq!((socket.ethertype, socket.ifindex), (0x88cc, 0));
    assert!(socket.owner.comm.starts_with("python"));

    let reading = sources.read(&discovery);
    let links = reading.links.value().unwrap();
    let (p0, p1) = (link(links, &a, "p0"), link(links, &a, "p1"));
    let mut memberships = socket.memberships.clone();
    memberships.sort_by_key(|membership| membership.ifindex != p0.ifindex);
    let expected = |link: &Link, kind, count| Membership {
        ifindex: link.ifindex,
        kind,
        count,
    };
    assert_eq!(
        memberships,
        [
            expected(&p0, MembershipKind::Promiscuous, 2),
            expected(&p1, MembershipKind::AllMulticast, 1)
        ]
    );
    // The socket counts once however often it asked; no user asked, yet the flag is in force.
    assert_eq!(p0.promiscuity, 1);
    assert!(!p0.promiscuity_requested());
    assert_eq!(p0.effective_flags.unwrap() & 0x300, 0x100);
    assert_eq!(p1.effective_flags.unwrap() & 0x300, 0x200);
    assert_eq!(p0.unicast_promiscuous, Some(false));

    let discovered = discovery.get(a.id()).unwrap();
    assert!(discovered.cookie.is_some());
}

#[test]
#[ignore = "needs root and namespaces"]
fn without_the_iterator_sockets_are_read_from_procfs_and_the_gap_is_told() {
    let a = TestNamespace::new();
    a.ip("link add p0 type veth peer name p1");
    let capture = Capture::start(&a);
    let discovery = sources().discover().unwrap();
    let pods = Pods::default();
    let why = Missing::unsupported("too old");
    let sockets = packet_sockets::from_procfs(&discovery, &pods, |_| true, why);
    assert!(sockets.missing().unwrap().contains("too old"));
    assert_eq!(sockets.why(), Some(&Why::Unsupported));
    let socket = find(&sockets, capture.pid());
    assert_eq!((socket.netns, socket.ethertype), (a.id(), 0x88cc));
}

#[test]
#[ignore = "needs root and namespaces"]
fn a_device_that_cannot_filter_one_more_address_is_told_from_a_request() {
    let a = TestNamespace::new();
    a.ip("link add p0 type veth peer name p1");
    a.ip("link add link p0 name m0 type macvlan mode bridge");
    a.ip("link set p0 up");
    a.ip("link set m0 up");
    let sources = sources();
    let reading = sources.read(&sources.discover().unwrap());
    let p0 = link(reading.links.value().unwrap(), &a, "p0");
    // A veth has no unicast filter, so a second address makes it promiscuous.
    assert_eq!((p0.unicast_promiscuous, p0.promiscuity), (Some(true), 1));
}

#[test]
#[ignore = "needs root, namespaces and BPF"]
fn drivers_and_checksum_offloads_of_another_namespace_are_read() {
    let a = TestNamespace::new();
    a.ip("link add p0 type veth peer name p1");
    let _holds_a_socket = Capture::start(&a);
    let sources = sources();
    let discovery = sources.discover().unwrap();
    let mut reading = sources.read(&discovery);
    sources.describe(&discovery, &mut reading);
    let links = reading.links.value().unwrap();
    let p0 = link(links, &a, "p0");
    assert_eq!(p0.driver.as_deref(), Some("veth"));
    assert_eq!(p0.tx_checksum_offload, Some(true));

    // Only by the ioctl, as on kernels without BPF.
    let checksum_by_ioctl = |namespace, name: &str| {
        let mut plain = Link {
            name: name.to_owned(),
            ..Link::default()
        };
        ethtool::fill(
            discovery.get(namespace).unwrap(),
            std::iter::once(&mut plain),
        );
        plain.tx_checksum_offload
    };
    assert_eq!(checksum_by_ioctl(a.id(), "p0"), Some(true));
    assert_eq!(checksum_by_ioctl(discovery.own(), "lo"), Some(true));
    assert_eq!(checksum_by_ioctl(discovery.own(), "p0"), None);
}
