//! The drop probe against the running kernel, in namespaces that the tests make and remove.

mod cost;
mod flows;
pub(crate) mod lab;
mod noisy_neighbours;

use std::{thread, time::Duration};

use netdiag_diagnosis::{
    evidence::{DropCount, Drops, Lost, Namespace, NetnsId, Observed},
    kernel::{Reason, site},
};

use self::lab::Lab;
use super::{Backend, DESCRIPTION, DropLayout, DropProbe, DropSnapshot, Edges};
use crate::probes::Kernel;

/// Attaches the probe, lets `stimulus` drop packets, and returns the evidence.
fn watch(lab: &Lab, backends: &[Backend], stimulus: impl FnOnce()) -> (Drops, Lost) {
    watch_as(&Kernel::load(), lab, backends, stimulus)
}

/// As [`watch`], on a kernel described otherwise.
fn watch_as(
    kernel: &Kernel,
    lab: &Lab,
    backends: &[Backend],
    stimulus: impl FnOnce(),
) -> (Drops, Lost) {
    watch_places(kernel, &[lab], backends, stimulus)
}

/// As [`watch_as`], with drops at the receivers of several pairs.
fn watch_places(
    kernel: &Kernel,
    labs: &[&Lab],
    backends: &[Backend],
    stimulus: impl FnOnce(),
) -> (Drops, Lost) {
    let mut probe = DropProbe::attach_first_of(kernel, backends).unwrap();
    let edge = |probe: &mut DropProbe| -> (DropSnapshot, DropSnapshot) {
        (probe.read().unwrap(), probe.read().unwrap())
    };
    let (m0, m0_after) = edge(&mut probe);
    stimulus();
    thread::sleep(Duration::from_millis(200)); // receive processing runs in softirqs
    let (m1, m1_after) = edge(&mut probe);
    let edges = Edges {
        m0,
        m0_after,
        m1,
        m1_after,
    };
    let namespace = |lab: &&Lab| Namespace {
        id: NetnsId(lab.receiver.number()),
        ..Namespace::default()
    };
    let namespaces: Vec<_> = labs.iter().map(namespace).collect();
    let links: Vec<_> = labs.iter().map(|lab| lab.receiving_link()).collect();
    let (observed, lost) = probe.finish(&edges, &namespaces, &links, &mut Vec::new());
    match observed {
        Observed::Complete { value } | Observed::Partial { value, .. } => (value, lost),
        Observed::Unavailable { reason, .. } => panic!("{reason}"),
    }
}

/// Counts on the receiving device.
fn on_receiver<'a>(drops: &'a Drops, lab: &Lab) -> Vec<(usize, &'a DropCount)> {
    let netns = Some(NetnsId(lab.receiver.number()));
    drops
        .counts
        .iter()
        .enumerate()
        .filter(|(_, drop)| drop.netns == netns)
        .collect()
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn every_variant_counts_lldp_exactly_and_keeps_its_bytes() {
    const FRAMES: u32 = 3000;
    for backend in Backend::ALL {
        let lab = Lab::new();
        let frame = lab::lldp_frame();
        let (drops, lost) = watch(&lab, &[backend], || lab.send(&frame, FRAMES));

        assert_eq!(drops.backend, backend.name());
        let found = on_receiver(&drops, &lab);
        assert_eq!(found.len(), 1, "{backend:?}: {found:?}");
        let (key, drop) = found[0];
        assert_eq!(drop.count, u64::from(FRAMES), "{backend:?}");
        assert_eq!(drop.at_least, u64::from(FRAMES), "{backend:?}");
        assert_eq!(drop.ethertype, 0x88cc);
        assert_eq!(drop.location, "__netif_receive_skb_core".into());
        if drops.has_reasons {
            assert_eq!(drop.reason, Reason::UNHANDLED_PROTO);
        }
        assert_eq!(lost, Lost::default());

        let samples = drops.samples.iter().filter(|sample| sample.key == key);
        let samples: Vec<_> = samples.collect();
        assert!(samples.len() >= 5, "{} samples", samples.len()); // the first four and each 1,024th
        assert!(samples.iter().all(|sample| sample.bytes == frame));
        let sample = samples[0];
        assert!(sample.has_link_header && !sample.truncated);
        assert_eq!(sample.network_offset, Some(14));
        assert_eq!(sample.packet_type, 2, "PACKET_MULTICAST");
        assert_eq!(sample.skb_iif, lab.receiving_link().ifindex);
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn counts_bad_tcp_checksums_and_samples_their_headers() {
    let lab = Lab::new();
    let frame = lab::tcp_frame_with_bad_checksum();
    let (drops, _) = watch(&lab, &Backend::ALL, || lab.send(&frame, 40));

    let found = on_receiver(&drops, &lab);
    assert_eq!(found.len(), 1, "{found:?}");
    let (key, drop) = found[0];
    assert_eq!((drop.count, drop.ethertype), (40, 0x0800));
    assert_eq!(drop.location, "tcp_v4_rcv".into());
    let mut samples = drops.samples.iter();
    let sample = samples.find(|sample| sample.key == key).unwrap();
    assert_eq!(sample.bytes, frame);
    assert_eq!(
        (sample.network_offset, sample.transport_offset),
        (Some(14), Some(34))
    );
    assert_ne!(sample.ip_summed, 3, "CHECKSUM_PARTIAL would be harmless");
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn late_udp_verification_is_on_the_receiving_device_although_skb_dev_is_junk() {
    let lab = Lab::new();
    let socket = lab.receiver.udp_socket(lab::UDP_PORT);
    let frame = lab::udp_frame_with_bad_checksum(400);
    let (drops, _) = watch(&lab, &Backend::ALL, || {
        lab.send(&frame, 20);
        thread::sleep(Duration::from_millis(100));
        lab.receiver.within(|| {
            let mut buffer = [0; 1500];
            assert!(socket.recv(&mut buffer).is_err(), "a bad datagram arrived");
        });
    });

    let found = on_receiver(&drops, &lab);
    let late: Vec<_> = drops
        .counts
        .iter()
        .filter(|drop| {
            drop.location
                .is_of_any(&[&site::UDP_RECVMSG, &site::FIRST_PACKET_LENGTH])
        })
        .collect();
    assert_eq!(late.iter().map(|drop| drop.count).sum::<u64>(), 20);
    assert!(
        late.iter()
            .all(|drop| found.iter().any(|(_, other)| other == drop)),
        "{late:?}"
    );
    assert!(
        found
            .iter()
            .all(|(_, drop)| drop.ifindex == lab.receiving_link().ifindex)
    );
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_kernel_without_reasons_and_cookies_is_counted_by_location() {
    let mut kernel = Kernel::load();
    kernel.facts.drop_reasons.clear();
    kernel.facts.namespaces_have_cookies = false;
    let layout: &mut DropLayout = kernel.layout_mut(&DESCRIPTION);
    layout.arguments = 2;
    layout.has_cookie = 0;

    let lab = Lab::new();
    let frame = lab::lldp_frame();
    for backend in Backend::ALL {
        let (drops, _) = watch_as(&kernel, &lab, &[backend], || lab.send(&frame, 10));
        let found = on_receiver(&drops, &lab);
        assert_eq!(found.len(), 1, "{backend:?}: {found:?}");
        assert_eq!(
            (found[0].1.count, &found[0].1.reason),
            (10, &Reason::ABSENT)
        );
        assert!(!drops.has_reasons);
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn attaches_with_cap_bpf_and_cap_perfmon_alone() {
    const CAP_PERFMON: u32 = 38;
    const CAP_BPF: u32 = 39;
    let attach = || DropProbe::attach(&Kernel::load()).map(|_| ());
    lab::with_only(&[CAP_BPF, CAP_PERFMON], attach).unwrap();
    assert!(lab::with_only(&[CAP_BPF], attach).is_err());
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_detached_probe_leaves_nothing_behind() {
    let count = || {
        std::fs::read_dir("/proc/self/fd")
            .map(Iterator::count)
            .unwrap()
    };
    let kernel = Kernel::load();
    drop(DropProbe::attach(&kernel).unwrap()); // whatever aya opens once, it has opened now
    let before = count();
    drop(DropProbe::attach(&kernel).unwrap());
    assert_eq!(count(), before);
}
