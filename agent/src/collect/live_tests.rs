//! Windows over what comes and goes, in namespaces that the tests make and remove.

use std::{net::UdpSocket, path::PathBuf, thread, time::Duration};

use netdiag_diagnosis::{
    EvidenceWindow, Settings, diagnose,
    evidence::{DropCount, NetnsId},
};

use super::{Request, Stop, collect};
use crate::probes::{
    Kernel,
    drop::live_tests::lab::{self, Lab},
};

/// A window in which `act` happens, from a second after its start on.
fn window(seconds: u64, act: impl FnOnce() + Send) -> EvidenceWindow {
    let request = Request {
        node: "n".to_owned(),
        host_root: PathBuf::from("/"),
        duration: Duration::from_secs(seconds),
        pods: true,
    };
    let kernel = Kernel::load();
    thread::scope(|scope| {
        let stop = Stop::default();
        let watch =
            scope.spawn(move || collect(&request, &kernel, &stop, &mut |_| true, &mut |_| {}));
        thread::sleep(Duration::from_secs(3)); // both edges of a reading
        act();
        watch.join().unwrap().window
    })
}

fn drops_in(window: &EvidenceWindow, netns: u32) -> Vec<&DropCount> {
    let drops = window.drops.value().unwrap();
    let netns = Some(NetnsId(netns));
    drops
        .counts
        .iter()
        .filter(|drop| drop.netns == netns)
        .collect()
}

/// Datagrams for a socket that nobody reads, until its buffer is full and many more are lost.
fn lose_datagrams(lab: &Lab) -> u32 {
    let _socket = lab.receiver.udp_socket(lab::UDP_PORT);
    let sender = lab
        .sender
        .within(|| UdpSocket::bind("10.99.0.1:0").unwrap());
    for _ in 0..3_000 {
        let _ = sender.send_to(&[0; 1000], ("10.99.0.2", lab::UDP_PORT));
    }
    lab.receiver.number()
}

/// Datagrams for a socket whose program reads each of them.
fn receive_datagrams(lab: &Lab) {
    let socket = lab.receiver.udp_socket(lab::UDP_PORT);
    let sender = lab
        .sender
        .within(|| UdpSocket::bind("10.99.0.1:0").unwrap());
    let mut received = 0;
    for _ in 0..300 {
        sender
            .send_to(&[0; 1000], ("10.99.0.2", lab::UDP_PORT))
            .unwrap();
        while socket.recv(&mut [0; 1500]).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        received += 1;
    }
    assert_eq!(received, 300);
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn loss_in_a_namespace_that_ends_within_the_window_keeps_its_place_and_its_severity() {
    let (doomed, lasting) = (Lab::new(), Lab::new());
    let names = [&doomed, &lasting].map(|lab| lab.receiver.name().to_owned());
    let mut ended = 0;
    let seen = window(8, || {
        receive_datagrams(&lasting);
        ended = lose_datagrams(&doomed);
        drop(doomed);
    });
    let lost = drops_in(&seen, ended);
    let lost = lost
        .iter()
        .find(|drop| drop.reason.as_str() == "SOCKET_RCVBUFF");
    let lost = lost.unwrap_or_else(|| panic!("{:?}", seen.drops));
    assert!(lost.count > 1_000, "{lost:?}");
    let link = seen
        .ended_links
        .iter()
        .find(|link| link.ifindex == lost.ifindex);
    assert_eq!(link.map(|link| link.name.as_str()), Some("far"));

    let diagnosis = diagnose(&seen, &Settings::default());
    let of = |name: &str| {
        let mut findings = diagnosis.findings.iter();
        findings.find(|one| one.subject.netns_name.as_deref() == Some(name))
    };
    let finding = of(&names[0]).unwrap_or_else(|| panic!("{:#?}", diagnosis.findings));
    assert!(finding.severity().as_str() != "Info", "{finding:#?}");
    // A socket's buffer is no device's.
    assert_eq!(finding.cause.name(), "ReceiveBufferFull", "{finding:#?}");
    assert_eq!(finding.subject.interface, None);
    // The look-alike received what was sent to it.
    assert!(of(&names[1]).is_none());
    let mut unchecked = diagnosis.unchecked.iter();
    assert!(unchecked.any(|one| one.reason.contains("are gone with the device")));
    drop(lasting);
}

/// A namespace is new after the window began, joined to the node by a veth, and gone before it ends.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn loss_in_a_namespace_that_comes_and_goes_within_the_window_is_named() {
    let mut ended = (0, String::new());
    let seen = window(12, || {
        let lab = Lab::joined_to_the_node();
        thread::sleep(Duration::from_secs(4));
        ended = (lose_datagrams(&lab), lab.receiver.name().to_owned());
    });
    let lost = drops_in(&seen, ended.0);
    let lost: u64 = lost.iter().map(|drop| drop.count).sum();
    assert!(lost > 1_000, "{:?}", seen.drops);
    let namespace = seen
        .namespaces
        .iter()
        .find(|one| one.id == NetnsId(ended.0));
    assert_eq!(namespace.and_then(|one| one.name.clone()), Some(ended.1));
}

/// A packet that a rule in OUTPUT refuses has no device yet.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn what_a_program_sends_is_placed_by_its_socket_and_its_route() {
    let lab = Lab::new();
    lab.sender.refuse_output("udp dport 7777 drop");
    let number = lab.sender.number();
    let ifindex = lab.sending_link().ifindex;
    let send = |port| {
        lab.sender.within(|| {
            let socket = UdpSocket::bind("10.99.0.1:0").unwrap();
            for _ in 0..30 {
                let _ = socket.send_to(b"x", ("10.99.0.2", port));
            }
        });
    };
    let seen = window(5, || {
        send(7777);
        send(7778);
    });
    // Without reasons the function tells: the packet filter's.
    let is_ours = |drop: &&&DropCount| drop.ethertype == 0x0800 && drop.ifindex == ifindex;
    let sent = drops_in(&seen, number);
    let refused: Vec<u64> = sent.iter().filter(is_ours).map(|drop| drop.count).collect();
    assert_eq!(refused, [30], "{sent:?}");
    // Nothing of it is without a place. (Other tests may run beside this one.)
    let drops = seen.drops.value().unwrap();
    let nowhere = |key: usize| drops.counts[key].netns.is_none();
    let is_ours = |bytes: &[u8]| bytes.windows(4).any(|part| part == [10, 99, 0, 2]);
    let mut lost = drops.samples.iter().filter(|sample| nowhere(sample.key));
    let ports = 7777_u16.to_be_bytes();
    let to_port = |bytes: &[u8]| bytes.windows(2).any(|part| part == ports);
    assert!(!lost.any(|sample| is_ours(&sample.bytes) && to_port(&sample.bytes)));
}
