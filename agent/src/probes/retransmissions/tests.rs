//! Tests of the evidence that is made of the counts.

use netdiag_abi::drop::origin;

use super::*;

fn at(ifindex: u32, location: u64, origin: u8) -> DropKey {
    DropKey {
        net: 7,
        inum: 100,
        ifindex,
        location,
        origin,
        ..DropKey::default()
    }
}

fn counted(segments: u64, late: u64) -> Retransmitted {
    Retransmitted { segments, late }
}

#[test]
fn call_sites_of_one_function_are_one_place_and_unknown_devices_none() {
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
    let explained = [
        (at(2, 0x10, origin::DEVICE), counted(3, 1)),
        (at(2, 0x20, origin::DEVICE), counted(4, 2)),
        (at(9, 0x20, origin::DEVICE), counted(8, 0)),
    ];
    let locations = [0x10, 0x20].map(|address| (address, "tap_handle_frame".to_owned()));
    let keys = explained.iter().map(|(place, _)| place);
    let places = DropPlaces::new(&[namespace], &[link], keys, true);
    let rows = fold(
        &explained,
        &places,
        &locations.into(),
        &KernelFacts::default(),
    );
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.netns, row.ifindex, row.segments, row.late))
        .collect();
    assert_eq!(rows, [(None, 0, 8, 0), (Some(NetnsId(100)), 2, 7, 3)]);
}
