//! Names of link layer protocols, and what each is for.

use super::{bytes::u8_at, frame::Carried};
use crate::uapi::ethertype::{
    ETH_P_802_2, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_LLDP, ETH_P_PAE, ETH_P_SLOW,
};

/// A protocol as a person knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Protocol {
    /// Its usual name: `LLDP`; the number where it has none.
    pub name: String,
    /// The name of its frames, a noun phrase in the plural.
    pub meaning: &'static str,
    /// EtherType, SNAP or 802.2 number as people write it: `0x88CC`, `SNAP 00000c:2000`.
    pub number: String,
    /// LLDP or CDP: its frames name their sender, and lldpd reads them.
    pub is_announcement: bool,
}

/// EtherType of Realtek's remote control protocol, whose first byte says which of several it is.
const REALTEK: u16 = 0x8899;
/// CDP: Cisco's organisation number and protocol.
pub(crate) const CDP: Carried = Carried::Snap {
    organisation: 0x00_000c,
    protocol: 0x2000,
};

const SWITCH_ANNOUNCEMENTS: &str =
    "announcements by which switches and hosts learn their neighbours";
const SWITCH_CONTROL: &str = "messages between switches";
const INDUSTRIAL: &str = "messages of an industrial control network";
const UNKNOWN: &str = "frames of a protocol that netdiag has no name for";

/// EtherTypes by IEEE's registry, `<linux/if_ether.h>` and, for 0x8899, what Realtek's switches send.
const ETHERTYPES: &[(u16, &str, &str)] = &[
    (
        0x0001,
        "802.3",
        "frames without a protocol number, as old IPX",
    ),
    (ETH_P_802_2, "802.2", "frames with an 802.2 header"),
    (ETH_P_IP, "IPv4", "internet packets"),
    (ETH_P_ARP, "ARP", "address queries"),
    (0x0842, "Wake-on-LAN", "wake-up calls"),
    (0x22ea, "MSRP", "stream reservations"),
    (0x22f0, "AVTP", "audio and video streams"),
    (0x22f3, "TRILL", SWITCH_CONTROL),
    (0x4305, "BATMAN", "messages of a B.A.T.M.A.N. mesh"),
    (0x6002, "MOP", "DECnet remote console messages"),
    (0x6003, "DECnet", "DECnet packets"),
    (
        0x8035,
        "RARP",
        "address queries, also sent by hypervisors after a migration",
    ),
    (0x809b, "AppleTalk", "AppleTalk packets"),
    (0x80f3, "AARP", "AppleTalk address queries"),
    (
        0x8100,
        "802.1Q",
        "frames of a VLAN that no device here is for",
    ),
    (0x8137, "IPX", "IPX packets"),
    (ETH_P_IPV6, "IPv6", "internet packets"),
    (0x8808, "flow control", "pause requests between neighbours"),
    (
        ETH_P_SLOW,
        "slow protocols",
        "link control between neighbours",
    ),
    (0x8847, "MPLS", "label-switched packets"),
    (0x8848, "MPLS multicast", "label-switched packets"),
    (0x8863, "PPPoE discovery", "dial-up negotiation"),
    (0x8864, "PPPoE session", "dial-up traffic"),
    (0x886d, "Intel ANS", "probes of Intel adapter teaming"),
    (0x8874, "Broadcom tag", "switch-internal headers"),
    (0x887b, "HomePlug 1.0", "messages of a powerline adapter"),
    (ETH_P_PAE, "EAPOL", "802.1X authentication messages"),
    (0x8892, "PROFINET", INDUSTRIAL),
    (
        REALTEK,
        "Realtek RRCP",
        "loop detection and management of Realtek switches",
    ),
    (0x88a2, "AoE", "ATA over Ethernet, disk traffic"),
    (0x88a4, "EtherCAT", INDUSTRIAL),
    (
        0x88a8,
        "802.1ad",
        "frames of a provider VLAN that no device here is for",
    ),
    (0x88ab, "POWERLINK", INDUSTRIAL),
    (0x88b5, "local experiment 1", "frames of a local experiment"),
    (0x88b6, "local experiment 2", "frames of a local experiment"),
    (0x88b8, "GOOSE", "events of an electrical substation"),
    (
        0x88b9,
        "GSE management",
        "messages of an electrical substation",
    ),
    (
        0x88ba,
        "sampled values",
        "measurements of an electrical substation",
    ),
    (0x88bf, "MikroTik RoMON", "management of MikroTik routers"),
    (
        0x88c7,
        "802.11 pre-authentication",
        "messages between wireless access points",
    ),
    (ETH_P_LLDP, "LLDP", SWITCH_ANNOUNCEMENTS),
    (0x88cd, "SERCOS III", INDUSTRIAL),
    (0x88d9, "LLTD", "network map queries of Windows"),
    (0x88e1, "HomePlug AV", "messages of a powerline adapter"),
    (0x88e3, "MRP", "ring redundancy messages between switches"),
    (0x88e5, "MACsec", "encrypted frames"),
    (
        0x88e7,
        "provider backbone bridging",
        "encapsulated frames of a provider",
    ),
    (0x88f5, "MVRP", "VLAN registrations between switches"),
    (0x88f6, "MMRP", "multicast registrations between switches"),
    (0x88f7, "PTP", "clock synchronisation messages"),
    (
        0x88f8,
        "NC-SI",
        "messages between a NIC and a management controller",
    ),
    (0x88fb, "PRP", "supervision messages of a redundant network"),
    (0x8902, "CFM", "connectivity checks between switches"),
    (0x8906, "FCoE", "Fibre Channel over Ethernet, disk traffic"),
    (
        0x890d,
        "802.11 roaming",
        "messages between wireless access points",
    ),
    (0x8914, "FIP", "discovery of Fibre Channel over Ethernet"),
    (0x8915, "RoCE", "remote memory access"),
    (0x892f, "HSR", "messages of a redundant ring"),
    (0x893a, "IEEE 1905.1", "messages of a home network"),
    (0x8940, "ECP", "edge control between switch and hypervisor"),
    (
        0x9000,
        "loopback",
        "loop tests, such as Cisco switches send every 10 s",
    ),
    (0xf1c1, "FRER", "duplicated frames of a redundant network"),
];

/// SNAP protocols by organisation and number.
const SNAP: &[(u32, u16, &str, &str)] = &[
    (0x00_000c, 0x2000, "CDP", SWITCH_ANNOUNCEMENTS),
    (
        0x00_000c,
        0x0104,
        "PAgP",
        "link aggregation messages of Cisco switches",
    ),
    (
        0x00_000c,
        0x010b,
        "PVST+",
        "spanning tree messages of Cisco switches",
    ),
    (0x00_000c, 0x0111, "UDLD", "link checks of Cisco switches"),
    (
        0x00_000c,
        0x2003,
        "VTP",
        "VLAN announcements of Cisco switches",
    ),
    (
        0x00_000c,
        0x2004,
        "DTP",
        "trunk negotiation of Cisco switches",
    ),
    (0x00_0081, 0x01a1, "NDP (Nortel)", SWITCH_ANNOUNCEMENTS),
    (0x00_0081, 0x01a2, "NDP (Nortel)", SWITCH_ANNOUNCEMENTS),
    (0x00_e02b, 0x00bb, "EDP", SWITCH_ANNOUNCEMENTS),
    (0x00_e052, 0x2000, "FDP", SWITCH_ANNOUNCEMENTS),
];

/// 802.2 by destination access point.
const LLC: &[(u8, &str, &str)] = &[
    (0x06, "IP over 802.2", "internet packets"),
    (0x42, "STP", "spanning tree messages between bridges"),
    (0xe0, "IPX", "IPX packets"),
    (0xf0, "NetBEUI", "NetBEUI packets"),
    (0xfe, "IS-IS", "routing messages"),
    (0xff, "IPX", "IPX packets"),
];

/// Subtypes of the slow protocols.
const SLOW_SUBTYPES: &[(u8, &str, &str)] = &[
    (1, "LACP", "link aggregation messages of the switch"),
    (2, "LACP marker", "link aggregation markers of the switch"),
    (3, "Ethernet OAM", "link supervision of the switch"),
    (10, "ESMC", "clock quality announcements of the switch"),
];

/// True if frames of this EtherType are sent only to groups, by their standards.
pub(crate) fn is_group_only(ethertype: u16) -> bool {
    matches!(ethertype, ETH_P_LLDP | ETH_P_SLOW)
}

impl Protocol {
    /// The protocol has a name.
    pub(crate) fn is_known(&self) -> bool {
        self.meaning != UNKNOWN
    }

    /// The protocol of a frame, by what it carries and the first byte of its payload.
    pub(crate) fn of(carried: Carried, payload: &[u8]) -> Self {
        let subtype = u8_at(payload, 0);
        let known = match carried {
            Carried::EtherType(ETH_P_SLOW) => {
                find(SLOW_SUBTYPES, |(number, ..)| Some(*number) == subtype)
                    .map(|(_, name, meaning)| (*name, *meaning))
                    .or_else(|| ethertype(ETH_P_SLOW))
            }
            // Loop detection is the one that everybody sees: one broadcast every 2 s from each switch.
            Carried::EtherType(REALTEK) if subtype == Some(0x23) => {
                Some(("Realtek loop detection", "loop tests of a Realtek switch"))
            }
            Carried::EtherType(number) => ethertype(number),
            Carried::Snap {
                organisation: 0,
                protocol,
            } => ethertype(protocol),
            Carried::Snap {
                organisation,
                protocol,
            } => find(SNAP, |(o, p, ..)| (*o, *p) == (organisation, protocol))
                .map(|(_, _, name, meaning)| (*name, *meaning)),
            Carried::Llc { access_point } => find(LLC, |(number, ..)| *number == access_point)
                .map(|(_, name, meaning)| (*name, *meaning)),
        };
        let number = number(carried);
        let (name, meaning) = known.map_or_else(
            || (unknown_name(carried, &number), UNKNOWN),
            |(name, meaning)| (name.to_owned(), meaning),
        );
        Self {
            name,
            meaning,
            number,
            is_announcement: carried == Carried::EtherType(ETH_P_LLDP) || carried == CDP,
        }
    }
}

fn find<T>(table: &'static [T], matches: impl Fn(&T) -> bool) -> Option<&'static T> {
    table.iter().find(|entry| matches(entry))
}

fn ethertype(number: u16) -> Option<(&'static str, &'static str)> {
    find(ETHERTYPES, |(known, ..)| *known == number).map(|(_, name, meaning)| (*name, *meaning))
}

fn unknown_name(carried: Carried, number: &str) -> String {
    match carried {
        Carried::EtherType(_) => format!("EtherType {number}"),
        Carried::Snap { .. } | Carried::Llc { .. } => number.to_owned(),
    }
}

fn number(carried: Carried) -> String {
    match carried {
        Carried::EtherType(number) => format!("0x{number:04X}"),
        Carried::Snap {
            organisation,
            protocol,
        } => format!("SNAP {organisation:06x}:{protocol:04x}"),
        Carried::Llc { access_point } => format!("802.2 0x{access_point:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_protocols_by_what_they_carry() {
        let check = |carried, payload: &[u8], name: &str, number: &str| {
            let found = Protocol::of(carried, payload);
            assert_eq!((found.name.as_str(), found.number.as_str()), (name, number));
        };
        check(Carried::EtherType(ETH_P_LLDP), &[], "LLDP", "0x88CC");
        check(Carried::EtherType(ETH_P_SLOW), &[1], "LACP", "0x8809");
        check(
            Carried::EtherType(ETH_P_SLOW),
            &[3],
            "Ethernet OAM",
            "0x8809",
        );
        check(
            Carried::EtherType(ETH_P_SLOW),
            &[],
            "slow protocols",
            "0x8809",
        );
        check(
            Carried::EtherType(REALTEK),
            &[0x23],
            "Realtek loop detection",
            "0x8899",
        );
        check(
            Carried::EtherType(0xfafa),
            &[],
            "EtherType 0xFAFA",
            "0xFAFA",
        );
        check(CDP, &[], "CDP", "SNAP 00000c:2000");
        check(
            Carried::Llc { access_point: 0x42 },
            &[],
            "STP",
            "802.2 0x42",
        );
        check(
            Carried::Llc { access_point: 0x99 },
            &[],
            "802.2 0x99",
            "802.2 0x99",
        );
        let encapsulated = Carried::Snap {
            organisation: 0,
            protocol: 0x88f7,
        };
        check(encapsulated, &[], "PTP", "SNAP 000000:88f7");
    }

    #[test]
    fn every_number_has_one_name() {
        for pair in ETHERTYPES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{:#06x} is out of order", pair[1].0);
        }
    }
}
