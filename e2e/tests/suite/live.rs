//! The harness on the running kernel.

use std::fs;

use netdiag_e2e::netns::Namespace;

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
    drop(right);
    assert!(!path.exists());
    assert!(!inside.wait().unwrap().success(), "it was killed");
    assert!(fs::exists(left.path()).unwrap());
}
