use netdiag_abi::drop::{ABSENT, SampleHeader, origin};
use netdiag_diagnosis::evidence::{Link, Namespace};

use super::*;
use crate::probes::drop::DropSnapshot;

const MILLISECOND: u64 = 1_000_000;

fn key(location: u64, ifindex: u32) -> DropKey {
    DropKey {
        net: 7,
        inum: 100,
        ifindex,
        location,
        reason: 74,
        protocol: 0x88cc,
        origin: origin::DEVICE,
        subtype: 0,
    }
}

fn snapshot(taken_ms: u64, counts: &[(DropKey, u64)]) -> DropSnapshot {
    DropSnapshot {
        taken_ns: taken_ms * MILLISECOND,
        counts: counts.iter().copied().collect(),
        ..DropSnapshot::default()
    }
}

fn sampled(at_ms: u64, length: u32, bytes: &[u8]) -> Sampled {
    Sampled {
        header: SampleHeader {
            at_ns: at_ms * MILLISECOND,
            length,
            network_offset: 14,
            transport_offset: ABSENT,
            flags: sample_flags::LINK_HEADER,
            ..SampleHeader::default()
        },
        device: None,
        bytes: bytes.to_vec(),
    }
}

/// Folds what was counted between 1,000 and 5,000 ms on a node with one device: number 2 of namespace 100.
fn fold(
    counted: &[Counted],
    samples: HashMap<DropKey, VecDeque<Sampled>>,
) -> (Vec<DropCount>, Vec<PacketSample>) {
    let namespace = Namespace {
        id: NetnsId(100),
        cookie: Some(7),
        ..Namespace::default()
    };
    let link = Link {
        netns: NetnsId(100),
        ifindex: 2,
        ..Link::default()
    };
    let facts = KernelFacts {
        drop_reasons: vec![(74, "UNHANDLED_PROTO".to_owned())],
        ..KernelFacts::default()
    };
    let locations = HashMap::from([
        (0x10, "__netif_receive_skb_core".to_owned()),
        (0x20, "__netif_receive_skb_core".to_owned()),
        (0x30, "ip_rcv_core".to_owned()),
    ]);
    let places = DropPlaces::new(
        &[namespace],
        &[link],
        counted.iter().map(|drop| &drop.key),
        true,
    );
    Fold {
        places: &places,
        locations: &locations,
        facts: &facts,
        start_ns: 1000 * MILLISECOND,
        end_ns: 5000 * MILLISECOND,
    }
    .fold(counted, samples)
}

fn counted(key: DropKey, at_least: u64, count: u64) -> Counted {
    Counted {
        key,
        at_least,
        count,
        first_ns: 2000 * MILLISECOND,
        last_ns: 3000 * MILLISECOND,
    }
}

#[test]
fn the_edges_bracket_what_fell_within_the_window() {
    let drop = key(0x10, 2);
    let edges = Edges {
        m0: snapshot(0, &[(drop, 10)]),
        m0_after: snapshot(1, &[(drop, 12)]),
        m1: snapshot(9, &[(drop, 50)]),
        m1_after: snapshot(10, &[(drop, 53)]),
    };
    let found = within_window(&edges, &Activity::default());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].at_least, found[0].count), (38, 43));
}

#[test]
fn a_key_without_drops_in_the_window_is_left_out() {
    let drop = key(0x10, 2);
    let still = snapshot(0, &[(drop, 10)]);
    let edges = Edges {
        m0: still.clone(),
        m0_after: still.clone(),
        m1: still.clone(),
        m1_after: still,
    };
    assert!(within_window(&edges, &Activity::default()).is_empty());
}

#[test]
fn a_key_that_appears_within_the_window_counts_from_nothing() {
    let drop = key(0x10, 2);
    let edges = Edges {
        m1: snapshot(9, &[(drop, 5)]),
        m1_after: snapshot(10, &[(drop, 5)]),
        ..Edges::default()
    };
    let found = within_window(&edges, &Activity::default());
    assert_eq!((found[0].at_least, found[0].count), (5, 5));
}

#[test]
fn call_sites_of_one_function_are_one_entry() {
    let (counts, _) = fold(
        &[counted(key(0x10, 2), 3, 4), counted(key(0x20, 2), 5, 6)],
        HashMap::new(),
    );
    assert_eq!(counts.len(), 1);
    let drop = &counts[0];
    assert_eq!((drop.at_least, drop.count), (8, 10));
    assert_eq!(drop.location, "__netif_receive_skb_core".into());
    assert_eq!(drop.reason, Reason::UNHANDLED_PROTO);
    assert_eq!((drop.netns, drop.ifindex), (Some(NetnsId(100)), 2));
    assert_eq!((drop.first_ms, drop.last_ms), (1000, 2000));
}

#[test]
fn protocols_that_share_a_number_are_entries_of_their_own() {
    let lacp = DropKey {
        subtype: 1,
        ..key(0x10, 2)
    };
    let oam = DropKey {
        subtype: 3,
        ..key(0x20, 2)
    };
    let samples = HashMap::from([(oam, VecDeque::from([sampled(1500, 3, b"oam")]))]);
    let (counts, packets) = fold(&[counted(lacp, 8, 9), counted(oam, 5, 6)], samples);
    let counts: Vec<u64> = counts.iter().map(|drop| drop.count).collect();
    assert_eq!(counts, [9, 6]);
    assert_eq!(packets[0].key, 1);
}

#[test]
fn a_device_that_the_node_does_not_have_is_no_device() {
    let (counts, _) = fold(&[counted(key(0x30, 9), 1, 1)], HashMap::new());
    assert_eq!((counts[0].netns, counts[0].ifindex), (None, 0));
}

#[test]
fn the_most_frequent_comes_first_and_samples_follow_their_count() {
    let (rare, frequent) = (key(0x10, 2), key(0x30, 2));
    let samples = HashMap::from([
        (rare, VecDeque::from([sampled(1500, 3, b"abc")])),
        (frequent, VecDeque::from([sampled(1600, 400, b"de")])),
    ]);
    let (counts, packets) = fold(&[counted(rare, 1, 1), counted(frequent, 9, 9)], samples);
    assert_eq!(counts[0].location, "ip_rcv_core".into());
    let of_frequent = packets.iter().find(|packet| packet.key == 0).unwrap();
    assert_eq!(of_frequent.bytes, b"de");
    assert!(of_frequent.truncated);
    let of_rare = packets.iter().find(|packet| packet.key == 1).unwrap();
    assert!(!of_rare.truncated && of_rare.has_link_header);
    assert_eq!(of_rare.network_offset, Some(14));
    assert_eq!(of_rare.transport_offset, None);
    assert_eq!(of_rare.at_ms, 500);
}

#[test]
fn samples_sharpen_the_times_and_those_outside_the_window_are_left_out() {
    let drop = key(0x10, 2);
    let samples = HashMap::from([(
        drop,
        VecDeque::from([
            sampled(900, 1, b"x"),
            sampled(1200, 1, b"x"),
            sampled(3500, 1, b"x"),
        ]),
    )]);
    let (counts, packets) = fold(&[counted(drop, 3, 3)], samples);
    assert_eq!(packets.len(), 2);
    assert_eq!((counts[0].first_ms, counts[0].last_ms), (200, 2500));
}
