//! Bonds contain their slaves' counters, teams do not.

use super::{NODE, balance, claim, link, nohandler, rx, short, unhandled, window};
use crate::{
    evidence::{BondSlave, Link, LinkKind, LinkStats, PacketSample},
    testing::drops_of,
};

/// A slave of bond0 (ifindex 10).
pub(super) fn slave(ifindex: u32, name: &str, active: bool, rose: LinkStats) -> Link {
    Link {
        master: Some(10),
        slave_kind: Some(LinkKind::Bond),
        bond_slave: Some(BondSlave {
            active,
            mii_up: true,
        }),
        ..link(NODE, ifindex, name, rose)
    }
}

pub(super) fn bond0(rose: LinkStats) -> Link {
    Link {
        kind: Some(LinkKind::Bond),
        ..link(NODE, 10, "bond0", rose)
    }
}

#[test]
fn a_broadcast_on_an_active_backup_bond_is_split_by_device() {
    // 322 events: 161 on bond0 and 161 on the standby, which counts them as rx_nohandler; bond0 adds those to its own.
    let links = vec![
        bond0(LinkStats {
            rx_dropped: 161,
            rx_nohandler: 161,
            ..LinkStats::default()
        }),
        slave(2, "eth1", true, LinkStats::default()),
        slave(3, "eth2", false, nohandler(161)),
    ];
    let counts = vec![unhandled(10, 0x8899, 161), unhandled(3, 0x8899, 161)];
    let claims = [claim(0, "RRCP"), claim(1, "RRCP")];
    assert_eq!(
        short(&balance(&window(links, counts), &claims)),
        [
            "bond0 rx_dropped +161 = [UNHANDLED_PROTO RRCP Benign 161] + 0",
            "bond0 rx_nohandler +161 = [inherited from eth2 RRCP Benign 161] + 0",
            "eth2 rx_nohandler +161 = [UNHANDLED_PROTO RRCP Benign 161] + 0",
        ]
    );
}

#[test]
fn a_bonds_share_of_its_slaves_is_inherited() {
    // 802.3ad: LLDP on the inactive slave stays there (link-local), and is folded into bond0's counter.
    let links = vec![
        bond0(rx(40)),
        slave(2, "eth1", true, rx(0)),
        slave(3, "eth2", false, rx(20)),
    ];
    let counts = vec![unhandled(10, 0x88cc, 20), unhandled(3, 0x88cc, 20)];
    let claims = [claim(0, "LLDP"), claim(1, "LLDP")];
    assert_eq!(
        short(&balance(&window(links, counts), &claims)),
        [
            "bond0 rx_dropped +40 = [UNHANDLED_PROTO LLDP Benign 20, inherited from eth2 LLDP Benign 20] + 0",
            "eth2 rx_dropped +20 = [UNHANDLED_PROTO LLDP Benign 20] + 0",
        ]
    );
}

#[test]
fn what_a_slave_cannot_explain_is_unknown_in_its_bond() {
    let links = vec![bond0(rx(9)), slave(2, "eth1", true, rx(7))];
    assert_eq!(
        short(&balance(&window(links, Vec::new()), &[])),
        [
            "bond0 rx_dropped +9 = [inherited from eth1 - Unknown 7] + 2",
            "eth1 rx_dropped +7 = [] + 7",
        ]
    );
}

#[test]
fn the_destination_decides_between_the_counters_of_an_inactive_slave() {
    // 802.1X on an unusual EtherType is told by its group address, not by the number.
    let links = vec![slave(3, "eth2", false, rx(4))];
    let mut window = window(links, vec![unhandled(3, 0x8999, 4)]);
    let mut bytes = vec![0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x89, 0x99];
    bytes.resize(60, 0);
    drops_of(&mut window).samples.push(PacketSample {
        has_link_header: true,
        bytes,
        ..PacketSample::default()
    });
    assert_eq!(
        short(&balance(&window, &[])),
        ["eth2 rx_dropped +4 = [UNHANDLED_PROTO - Unknown 4] + 0"]
    );
}

#[test]
fn a_team_counts_for_itself() {
    let port = Link {
        master: Some(10),
        slave_kind: Some(LinkKind::Team),
        ..link(NODE, 3, "eth2", nohandler(5))
    };
    let team = Link {
        kind: Some(LinkKind::Team),
        ..link(NODE, 10, "team0", nohandler(5))
    };
    // LLDP too: unlike a bond, a team's mode with one active port makes no exception for it.
    for ethertype in [0x8899, 0x88cc] {
        let counts = vec![unhandled(3, ethertype, 5)];
        assert_eq!(
            short(&balance(
                &window(vec![port.clone(), team.clone()], counts),
                &[]
            )),
            [
                "eth2 rx_nohandler +5 = [UNHANDLED_PROTO - Unknown 5] + 0",
                "team0 rx_nohandler +5 = [UNHANDLED_PROTO - Unknown 5] + 0",
            ]
        );
    }
}

#[test]
fn a_disabled_port_of_a_team_lets_lldp_pass() {
    let port = Link {
        master: Some(10),
        slave_kind: Some(LinkKind::Team),
        ..link(NODE, 3, "eth2", rx(5))
    };
    let counts = vec![unhandled(3, 0x88cc, 5)];
    assert_eq!(
        short(&balance(&window(vec![port], counts), &[])),
        ["eth2 rx_dropped +5 = [UNHANDLED_PROTO - Unknown 5] + 0"]
    );
}
