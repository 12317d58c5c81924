use netdiag_diagnosis::evidence::LinkKind;

use super::*;
use crate::sources::attributes::push;

/// A message of `attributes` for device 7 with flags UP, PROMISC.
fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; IFINFOMSG];
    bytes[4..8].copy_from_slice(&7_u32.to_ne_bytes());
    bytes[8..12].copy_from_slice(&0x101_u32.to_ne_bytes());
    for (kind, value) in attributes {
        push(&mut bytes, *kind, value);
    }
    bytes
}

fn nest(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    message(attributes).split_off(IFINFOMSG)
}

#[test]
fn a_bond_and_its_active_slave() {
    let data = nest(&[(1, &[1]), (2, &9_u32.to_ne_bytes())]);
    let info = nest(&[(1, b"bond\0"), (2, &data)]);
    let bond = parse(&message(&[(3, b"bond0\0"), (18, &info)])).unwrap();
    assert_eq!(
        bond.link.bond,
        Some(BondSettings {
            mode: "active-backup".to_owned(),
            active_slave: Some(9),
        })
    );

    let data = nest(&[(1, &[0]), (2, &[0])]);
    let info = nest(&[(4, b"bond\0"), (5, &data)]);
    let slave = parse(&message(&[
        (3, b"eth0\0"),
        (10, &5_u32.to_ne_bytes()),
        (18, &info),
    ]))
    .unwrap();
    assert_eq!(slave.link.master, Some(5));
    assert_eq!(slave.link.kind, None);
    assert_eq!(
        slave.link.bond_slave,
        Some(BondSlave {
            active: true,
            mii_up: true,
        })
    );
}

#[test]
fn a_port_of_open_vswitch_has_no_settings() {
    let info = nest(&[(4, b"openvswitch\0"), (5, &[1, 2, 3])]);
    let port = parse(&message(&[(3, b"eth0\0"), (18, &info)])).unwrap();
    assert_eq!(port.link.slave_kind, Some(LinkKind::OpenVSwitch));
    assert_eq!(port.link.bridge_port, None);
}

#[test]
fn segment_routing_is_read_from_the_settings_of_ipv6() {
    let link = |settings: &[u8]| {
        let inet6 = nest(&[(1, &[0; 4]), (2, settings)]);
        let families = nest(&[(2, &[0; 8]), (10, &inet6)]);
        let parsed = parse(&message(&[(3, b"eth0\0"), (26, &families)])).unwrap();
        parsed.link.segment_routing
    };
    let mut settings = vec![0; 59 * 4];
    assert_eq!(link(&settings), Some(false));
    settings[44 * 4..45 * 4].copy_from_slice(&1_i32.to_ne_bytes());
    assert_eq!(link(&settings), Some(true));
    assert_eq!(link(&settings[..44 * 4]), None, "a kernel without it");
    let without_ipv6 = parse(&message(&[(3, b"eth0\0")])).unwrap();
    assert_eq!(without_ipv6.link.segment_routing, None);
}

#[test]
fn settings_that_come_before_the_kind_are_read_all_the_same() {
    let data = nest(&[(1, &100_u16.to_ne_bytes())]);
    let info = nest(&[(2, &data), (1, b"vlan\0")]);
    let vlan = parse(&message(&[(3, b"v\0"), (18, &info)])).unwrap();
    assert_eq!(vlan.link.vlan, Some(VlanSettings { id: 100 }));
}

#[test]
fn a_passthru_macvlan_with_its_flag() {
    let data = nest(&[(1, &8_u32.to_ne_bytes()), (2, &1_u16.to_ne_bytes())]);
    let info = nest(&[(1, b"macvtap\0"), (2, &data)]);
    let macvlan = parse(&message(&[(3, b"m\0"), (18, &info)])).unwrap();
    assert_eq!(
        macvlan.link.macvlan,
        Some(MacvlanSettings {
            mode: "passthru".to_owned(),
            no_promiscuity: true,
        })
    );
}

#[test]
fn the_peer_is_in_the_same_namespace_unless_an_id_says_otherwise() {
    let peer = |attributes: &[(u16, &[u8])]| parse(&message(attributes)).unwrap().peer;
    assert_eq!(peer(&[(3, b"a\0")]), None);
    assert_eq!(
        peer(&[(3, b"a\0"), (5, &4_u32.to_ne_bytes())]),
        Some(ParsedPeer {
            ifindex: 4,
            place: PeerPlace::Same,
        })
    );
    let other = peer(&[
        (37, &2_i32.to_ne_bytes()),
        (3, b"a\0"),
        (5, &4_u32.to_ne_bytes()),
    ]);
    assert_eq!(other.unwrap().place, PeerPlace::Other(2));
}

#[test]
fn counters_that_an_older_kernel_lacks_are_zero() {
    let mut bytes: Vec<u8> = (1..=23_u64).flat_map(u64::to_ne_bytes).collect();
    let read = |bytes: &[u8]| {
        parse(&message(&[(3, b"a\0"), (23, bytes)]))
            .unwrap()
            .link
            .stats
    };
    assert_eq!(read(&bytes).rx_dropped, 7);
    assert_eq!(read(&bytes).rx_missed_errors, 16);
    assert_eq!(read(&bytes).rx_nohandler, 0);
    bytes.extend(24_u64.to_ne_bytes());
    assert_eq!(read(&bytes).rx_nohandler, 24);
}

#[test]
fn hostile_names_are_escaped_and_bounded() {
    let parsed = parse(&message(&[(3, b"a\x1b[2Jb\xff\0tail")])).unwrap();
    assert_eq!(parsed.link.name, "a\\u{1b}[2Jb\u{fffd}");
    let long = parse(&message(&[(3, &[b'x'; 4000])])).unwrap();
    assert_eq!(long.link.name.len(), LONGEST_NAME + 2);
}

#[test]
fn cut_and_random_messages_never_panic() {
    let data = nest(&[(1, &[1]), (2, &9_u32.to_ne_bytes())]);
    let info = nest(&[(1, b"bond\0"), (2, &data), (4, b"bridge\0"), (5, &data)]);
    let whole = message(&[(1, &[2; 6]), (3, b"eth0\0"), (18, &info), (23, &[1; 200])]);
    for end in 0..whole.len() {
        let _ = parse(&whole[..end]);
    }
    for at in 0..whole.len() {
        for value in [0, 1, 3, 0x7f, 0xff] {
            let mut broken = whole.clone();
            broken[at] = value;
            let _ = parse(&broken);
        }
    }
}
