//! Commands that keep frames from being counted, and the frames that no command may take.

use super::*;
use crate::finding::Remedy;

/// The change that one frame of this EtherType on a device is offered.
fn change_on(link: Link, ethertype: u16, frame: Vec<u8>) -> Option<Remedy> {
    let to_group = frame[0] & 1 == 1;
    let packet_type = if to_group {
        2
    } else {
        frames::PACKET_OTHERHOST
    };
    let drops = dropped(link.ifindex, ethertype, packet_type, &[frame]);
    let outcome = diagnose(&window(vec![link], vec![drops]));
    let mut remedies = only(&outcome).remedies.clone().into_iter();
    remedies.find(|remedy| remedy.change.is_some())
}

fn change(ethertype: u16, destination: [u8; 6]) -> Option<Remedy> {
    let frame = frame(
        destination,
        &[&ethertype.to_be_bytes()[..], &[3, 0]].concat(),
    );
    change_on(device(2, "eth0", None), ethertype, frame)
}

#[test]
fn the_filter_drops_what_is_dropped_anyway() {
    let remedy = change_on(device(2, "eth0", None), 0x88cc, lldp_frame("leaf-3a"));
    let remedy = remedy.expect("a change");
    assert_eq!(
        remedy.command.as_deref(),
        Some(
            "nft 'table netdev no_lldp_eth0 { chain in { type filter hook ingress device \"eth0\" priority 0; \
             ether type 0x88cc drop; }; }'"
        )
    );
    let undo = remedy.change.and_then(|change| change.undo);
    let delete = "nft delete table netdev no_lldp_eth0";
    assert_eq!(undo.as_deref(), Some(delete));
}

#[test]
fn no_command_drops_the_nodes_own_protocols() {
    let other = [2, 0, 0, 0, 0, 0x99];
    for ethertype in [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8] {
        assert_eq!(change(ethertype, other), None, "{ethertype:#x}");
    }
    assert!(change(0x88b5, other).is_some());
}

#[test]
fn a_rule_by_ethertype_misses_a_tagged_frame() {
    let in_frame = frame(LLDP_GROUP, &[0x81, 0, 0, 100, 0x88, 0xcc, 2, 7, 4]);
    assert_eq!(change_on(device(2, "eth0", None), 0x88cc, in_frame), None);
    let mut vlan = device(5, "bond0.100", Some("vlan"));
    vlan.vlan = Some(VlanSettings { id: 100 });
    let untagged = frame(LLDP_GROUP, &[0x88, 0xf7, 1, 2]);
    assert!(change_on(vlan, 0x88f7, untagged).is_some());
}

#[test]
fn slow_protocols_are_told_apart_by_their_subtype() {
    let slow = [1, 0x80, 0xc2, 0, 0, 2];
    let command = change(0x8809, slow).and_then(|remedy| remedy.command);
    // The offset in bits of the byte behind the EtherType.
    let by_subtype = "ether type 0x8809 @ll,112,8 3 drop";
    assert!(command.is_some_and(|command| command.contains(by_subtype)));
}

#[test]
fn frames_that_nobody_saw_are_looked_at() {
    let drops = dropped(2, 0xfafa, 0, &[]);
    let outcome = diagnose(&window(vec![device(2, "eth0", None)], vec![drops]));
    let [look] = &only(&outcome).remedies[..] else {
        panic!("one remedy: {outcome:?}");
    };
    let command = "tcpdump -p -e -n -c 10 -i eth0 ether proto 0xfafa";
    assert_eq!(look.command.as_deref(), Some(command));
    assert_eq!(look.change, None);
}
