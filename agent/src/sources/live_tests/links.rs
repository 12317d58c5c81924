use std::path::Path;

use netdiag_diagnosis::evidence::{Link, LinkKind, NetnsId, Observed};

use super::{TestNamespace, run};
use crate::bounded::Bounded;
use crate::sources::{
    links,
    namespaces::{Discovery, discover},
    route_netlink::RouteSocket,
};

fn discovery(route: &RouteSocket) -> Discovery {
    discover(route, Path::new("/run/netns"), Bounded::whole(Vec::new())).unwrap()
}

fn all_links() -> Vec<Link> {
    let route = RouteSocket::open().unwrap();
    match links::read(&route, &discovery(&route), |_| true).0 {
        Observed::Complete { value } | Observed::Partial { value, .. } => value,
        Observed::Unavailable { reason, .. } => panic!("{reason}"),
    }
}

fn link<'a>(links: &'a [Link], netns: NetnsId, name: &str) -> &'a Link {
    links
        .iter()
        .find(|link| link.netns == netns && link.name == name)
        .unwrap_or_else(|| panic!("no {name} in {netns}"))
}

fn assert_peers(one: &Link, other: &Link) {
    for (link, peer) in [(one, other), (other, one)] {
        let seen = link.peer.as_ref().unwrap();
        assert_eq!(
            (seen.netns, seen.ifindex),
            (Some(peer.netns), peer.ifindex),
            "{} of {}",
            link.name,
            link.netns
        );
    }
}

#[test]
#[ignore = "needs root and namespaces"]
fn veth_peers_are_named_across_namespaces() {
    let (a, b, c) = (
        TestNamespace::new(),
        TestNamespace::new(),
        TestNamespace::new(),
    );
    // Ids of their own in `a`, so that an id of `a` taken for one of ours would show.
    run("ip", &["-n", &a.name, "netns", "set", &c.name, "0"]);
    run("ip", &["-n", &a.name, "netns", "set", &b.name, "1"]);
    run("ip", &["-n", &b.name, "netns", "set", &a.name, "0"]);
    a.ip(&format!(
        "link add ab type veth peer name ba netns {}",
        b.name
    ));
    b.ip(&format!(
        "link add bc type veth peer name cb netns {}",
        c.name
    ));
    a.ip(&format!(
        "link add ac type veth peer name ca netns {}",
        c.name
    ));
    a.ip("link add same1 type veth peer name same2");
    let ours = format!("nde{}", std::process::id());
    run(
        "ip",
        &[
            "link", "add", &ours, "type", "veth", "peer", "name", "up0", "netns", &a.name,
        ],
    );

    let links = all_links();
    let own = discovery(&RouteSocket::open().unwrap()).namespaces[0].id;
    assert_peers(link(&links, a.id(), "ab"), link(&links, b.id(), "ba"));
    assert_peers(link(&links, b.id(), "bc"), link(&links, c.id(), "cb"));
    assert_peers(link(&links, a.id(), "ac"), link(&links, c.id(), "ca"));
    assert_peers(link(&links, a.id(), "same1"), link(&links, a.id(), "same2"));
    assert_peers(link(&links, own, &ours), link(&links, a.id(), "up0"));
}

#[test]
#[ignore = "needs root and namespaces"]
fn settings_of_bridges_ports_and_macvlans_are_read() {
    let a = TestNamespace::new();
    a.ip("link add br0 type bridge stp_state 1 group_fwd_mask 0x4000");
    a.ip("link add p0 mtu 9000 txqueuelen 77 type veth peer name p1");
    a.ip("link set p0 master br0 up");
    a.ip("link set p1 up");
    a.ip("link set br0 up");
    a.ip("link set p0 type bridge_slave learning off");
    a.ip("link add link p1 name m0 type macvlan mode passthru nopromisc");
    a.ip("link set br0 promisc on");

    let links = all_links();
    let br0 = link(&links, a.id(), "br0");
    let bridge = br0.bridge.unwrap();
    assert!(bridge.stp && !bridge.vlan_filtering);
    assert_eq!(bridge.group_forward_mask, 0x4000);
    assert!(br0.promiscuity_requested());
    assert_eq!(br0.promiscuity, 1);

    let p0 = link(&links, a.id(), "p0");
    assert_eq!((p0.mtu, p0.tx_queue_length), (9000, 77));
    assert_eq!(p0.kind, Some(LinkKind::Veth));
    assert_eq!(p0.slave_kind, Some(LinkKind::Bridge));
    assert_eq!(p0.master, Some(br0.ifindex));
    let port = p0.bridge_port.unwrap();
    assert!(!port.learning && port.unicast_flood);
    assert!(!p0.promiscuity_requested());
    assert_eq!((p0.promiscuity, p0.allmulti), (1, Some(1)));
    assert_eq!(p0.address.as_ref().unwrap().len(), 17);

    let m0 = link(&links, a.id(), "m0");
    let macvlan = m0.macvlan.as_ref().unwrap();
    assert_eq!(macvlan.mode, "passthru");
    assert!(macvlan.no_promiscuity);
    let lower = link(&links, a.id(), "p1");
    assert_eq!(m0.peer.as_ref().unwrap().ifindex, lower.ifindex);
}
