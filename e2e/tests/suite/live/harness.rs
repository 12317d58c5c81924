//! The harness on the running kernel, and that each scenario makes the fault it says.

use std::fs;

use netdiag_e2e::lab::Node;
use netdiag_e2e::netns::Namespace;
use netdiag_e2e::scenarios::{BridgedNics, Fault, HealthyPods, LostChecksum, UnequalMtu};
use netdiag_e2e::wait;

#[test]
#[ignore = "needs root"]
fn a_namespace_has_its_own_counters_and_goes_with_its_processes() {
    let left = Namespace::new("left").unwrap();
    let right = Namespace::new("right").unwrap();
    left.ip(&format!(
        "link add eth0 type veth peer eth0 netns {}",
        right.name()
    ))
    .unwrap();
    for (namespace, address) in [(&left, "192.0.2.1/24"), (&right, "192.0.2.2/24")] {
        namespace
            .ip(&format!("address add {address} dev eth0"))
            .unwrap();
        namespace.ip("link set eth0 up").unwrap();
    }
    let before = right.protocol_counter("Udp", "NoPorts").unwrap();
    left.enter(|| {
        let socket = std::net::UdpSocket::bind("192.0.2.1:0").unwrap();
        socket.send_to(b"anyone there?", "192.0.2.2:9").unwrap();
    })
    .unwrap();
    assert!(right.counter("eth0", "rx_packets").unwrap() > 0);
    assert_eq!(
        right.protocol_counter("Udp", "NoPorts").unwrap(),
        before + 1
    );

    let mut inside = right.command("sleep").arg("60").spawn().unwrap();
    let path = right.path();
    let number = right.inode().unwrap();
    wait::until("the program to be inside", wait::LIMIT, || {
        let namespace = fs::read_link(format!("/proc/{}/ns/net", inside.id()))?;
        Ok((namespace.as_os_str() == format!("net:[{number}]").as_str()).then_some(()))
    })
    .unwrap();
    drop(right);
    assert!(!path.exists());
    assert!(!inside.wait().unwrap().success(), "it was killed");
    assert!(fs::exists(left.path()).unwrap());
}

#[test]
#[ignore = "needs root"]
fn nics_let_announcements_in_only_as_ports_of_the_bridge() {
    let node = Node::new("node").unwrap();
    let nics = BridgedNics::new(&node).unwrap();
    let alone = nics.announce(20).unwrap();
    assert_eq!(alone.dropped, [("eth0", 0), ("eth1", 0), ("eth2", 20)]);
    nics.build_bridge().unwrap();
    let bridged = nics.announce(20).unwrap();
    assert_eq!(bridged.dropped, [("eth0", 20), ("eth1", 20), ("eth2", 20)]);
}

#[test]
#[ignore = "needs root"]
fn half_made_checksums_reach_the_server_or_die_at_the_filter() {
    let node = Node::new("node").unwrap();
    let scenario = LostChecksum::new(&node, Fault::HalfMade).unwrap();
    let counted = scenario.talk(10).unwrap();
    assert_eq!((counted.connected, counted.datagrams), (0, 80));
    assert_eq!((counted.udp, counted.udp6), (50, 30));
    assert!(counted.tcp > 0, "{counted:?}");
    drop(scenario);

    let node = Node::new("node").unwrap();
    let scenario = LostChecksum::new(&node, Fault::HalfMadeBeforeFilter).unwrap();
    let counted = scenario.talk(10).unwrap();
    assert_eq!((counted.connected, counted.tcp, counted.udp), (0, 0, 0));
    assert!(
        counted.filtered >= 80 && counted.unrouted >= 80,
        "{counted:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn broken_bytes_let_connections_through_and_raise_the_counter() {
    let node = Node::new("node").unwrap();
    let scenario = LostChecksum::new(&node, Fault::BrokenBytes).unwrap();
    let counted = scenario.talk(20).unwrap();
    assert!(counted.connected > 0 && counted.tcp > 0, "{counted:?}");
}

#[test]
#[ignore = "needs root"]
fn the_smaller_end_of_a_veth_refuses_large_packets() {
    let node = Node::new("node").unwrap();
    let scenario = UnequalMtu::new(&node).unwrap();
    assert_eq!(scenario.send_large(50).unwrap(), (50, 50));
}

#[test]
#[ignore = "needs root"]
fn healthy_pods_talk() {
    let node = Node::new("node").unwrap();
    let mut scenario = HealthyPods::new(&node).unwrap();
    scenario.start_capture().unwrap();
    let (sent, received) = scenario.talk().unwrap();
    assert!(
        sent > 1_000_000 && received > 100,
        "{sent} bytes, {received} packets"
    );
}
