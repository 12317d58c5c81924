//! Turns counts by the kernel's indices into evidence about interfaces.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netdiag_abi::frame_copies::{Copies, CopyKey};
use netdiag_diagnosis::{
    evidence::{FrameCopy, Link, LinkId, Namespace},
    topology::Topology,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

use crate::probes::places::{Places, SeenNamespace};

/// The key of one entry of the evidence.
type CopyName = (LinkId, u32, u16, Option<IpAddr>, Option<IpAddr>, bool);

/// Copies of one entry by the device and VLAN where they came in first.
type ByFirst = BTreeMap<(u32, u16), Copies>;

/// Copies between interfaces that do not hand each other's frames on, most frequent first.
pub(super) fn fold(
    copies: Vec<(CopyKey, Copies)>,
    namespaces: &[Namespace],
    links: &[Link],
    has_cookies: bool,
) -> Vec<FrameCopy> {
    let seen = copies.iter().map(|(key, _)| namespace(key));
    let places = Places::new(namespaces, links, seen, has_cookies);
    let topology = Topology::of(links);
    let mut named: BTreeMap<CopyName, ByFirst> = BTreeMap::new();
    for (key, copies) in copies {
        let receiver = |ifindex, vlan| {
            let device = places.device(namespace(&key), ifindex)?;
            receiver(&topology, device, vlan)
        };
        let first = receiver(key.first, key.first_vlan);
        let second = receiver(key.second, key.second_vlan);
        let (Some(first), Some(second)) = (first, second) else {
            continue;
        };
        if topology.are_joined(first, second) {
            continue;
        }
        let (source, destination) = addresses(&key);
        let name = (
            first,
            second.1,
            key.ethertype,
            source,
            destination,
            key.is_fragment != 0,
        );
        let by_first = named.entry(name).or_default();
        let most = by_first.entry((key.first, key.first_vlan)).or_default();
        // Every port of a bond may get the same frame, and that is one copy.
        most.count = most.count.max(copies.count);
        most.longest_gap_ns = most.longest_gap_ns.max(copies.longest_gap_ns);
    }
    let mut folded: Vec<_> = named.into_iter().map(entry).collect();
    folded.sort_by_key(|copy| std::cmp::Reverse(copy.count));
    folded
}

/// The interface that takes in what comes in on a device: its topmost master, or the VLAN device for the frame's tag.
/// `None` for a tag that nobody asks for.
fn receiver(topology: &Topology<'_>, device: LinkId, vlan: u16) -> Option<LinkId> {
    let device = match vlan {
        0 => device,
        // A bridge may keep the tag and look at it itself.
        id => topology.vlan(device, id).or_else(|| {
            let top = topology.top(device);
            (top != device).then_some(top)
        })?,
    };
    Some(topology.top(device))
}

fn entry((name, by_first): (CopyName, ByFirst)) -> FrameCopy {
    let count = by_first
        .values()
        .fold(0, |sum: u64, one| sum.saturating_add(one.count));
    let longest_gap_ns = by_first.values().map(|one| one.longest_gap_ns).max();
    let ((netns, first), second, ethertype, source, destination, fragments) = name;
    FrameCopy {
        netns,
        first,
        second,
        ethertype,
        source,
        destination,
        fragments,
        count,
        longest_gap_us: longest_gap_ns.unwrap_or(0) / 1_000,
    }
}

fn namespace(key: &CopyKey) -> SeenNamespace {
    SeenNamespace {
        inum: key.inum,
        net: key.net,
    }
}

fn addresses(key: &CopyKey) -> (Option<IpAddr>, Option<IpAddr>) {
    let ipv4 = |[word, _]: [u64; 2]| {
        let [a, b, c, d, ..] = word.to_ne_bytes();
        IpAddr::from(Ipv4Addr::new(a, b, c, d))
    };
    let ipv6 = |[high, low]: [u64; 2]| {
        let bits = u128::from(u64::from_be(high)) << 64 | u128::from(u64::from_be(low));
        IpAddr::from(Ipv6Addr::from_bits(bits))
    };
    match key.ethertype {
        ETH_P_IP => (Some(ipv4(key.source)), Some(ipv4(key.destination))),
        ETH_P_IPV6 => (Some(ipv6(key.source)), Some(ipv6(key.destination))),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::{
        evidence::{NetnsId, Peer, VlanSettings},
        uapi::ethertype::ETH_P_ARP,
    };

    use super::*;

    const NETNS: NetnsId = NetnsId(100);

    fn link(ifindex: u32) -> Link {
        Link {
            netns: NETNS,
            ifindex,
            ..Link::default()
        }
    }

    fn port(ifindex: u32, master: u32) -> Link {
        Link {
            master: Some(master),
            ..link(ifindex)
        }
    }

    fn over(ifindex: u32, kind: &str, lower: u32, vlan: Option<u16>) -> Link {
        Link {
            kind: Some(kind.into()),
            peer: Some(Peer {
                ifindex: lower,
                netns: Some(NETNS),
            }),
            vlan: vlan.map(|id| VlanSettings { id }),
            ..link(ifindex)
        }
    }

    fn key(first: u32, second: u32) -> CopyKey {
        CopyKey {
            net: 7,
            inum: NETNS.0,
            first,
            second,
            ethertype: ETH_P_ARP,
            ..CopyKey::default()
        }
    }

    fn folded(links: &[Link], keys: &[CopyKey]) -> Vec<FrameCopy> {
        let namespace = Namespace {
            id: NETNS,
            cookie: Some(7),
            ..Namespace::default()
        };
        let copies = Copies {
            count: 5,
            longest_gap_ns: 12_345,
        };
        let copies = keys.iter().map(|key| (*key, copies)).collect();
        fold(copies, &[namespace], links, true)
    }

    /// The two interfaces of each entry, and how often.
    fn pairs(links: &[Link], keys: &[CopyKey]) -> Vec<(u32, u32, u64)> {
        let entries = folded(links, keys).into_iter();
        entries
            .map(|copy| (copy.first, copy.second, copy.count))
            .collect()
    }

    #[test]
    fn copies_on_two_interfaces_of_their_own_are_kept() {
        let copies = folded(&[link(2), link(3)], &[key(2, 3)]);
        assert_eq!(
            copies,
            [FrameCopy {
                netns: NETNS,
                first: 2,
                second: 3,
                ethertype: ETH_P_ARP,
                source: None,
                destination: None,
                fragments: false,
                count: 5,
                longest_gap_us: 12,
            }]
        );
    }

    #[test]
    fn a_bond_s_ports_stand_for_the_bond() {
        let links = [port(2, 4), port(3, 4), link(4), link(5)];
        let keys = [key(2, 3), key(2, 5), key(3, 5), key(2, 4)];
        assert_eq!(pairs(&links, &keys), [(4, 5, 10)]);
        // The other interface was first, then each port got its own.
        assert_eq!(pairs(&links, &[key(5, 2), key(5, 3)]), [(5, 4, 5)]);
    }

    #[test]
    fn what_one_device_hands_to_another_is_no_copy() {
        let bridge = [port(2, 4), link(4)];
        assert_eq!(pairs(&bridge, &[key(2, 4)]), []);
        let macvlans = [
            link(2),
            over(3, "macvlan", 2, None),
            over(4, "macvlan", 2, None),
        ];
        assert_eq!(pairs(&macvlans, &[key(2, 3), key(3, 4)]), []);
        let pair = [over(2, "veth", 3, None), over(3, "veth", 2, None)];
        assert_eq!(pairs(&pair, &[key(2, 3)]), []);
    }

    #[test]
    fn a_tagged_frame_comes_in_on_the_vlan_device() {
        let links = [link(2), link(3), over(4, "vlan", 2, Some(100))];
        let tagged = CopyKey {
            first_vlan: 100,
            ..key(2, 3)
        };
        assert_eq!(pairs(&links, &[tagged]), [(4, 3, 5)]);
        let nobody_s = CopyKey {
            first_vlan: 200,
            ..key(2, 3)
        };
        assert_eq!(pairs(&links, &[nobody_s]), []);
    }

    #[test]
    fn devices_that_the_node_does_not_have_are_not_believed() {
        let links = [link(2), link(3)];
        let other_namespace = CopyKey {
            net: 8,
            ..key(2, 3)
        };
        assert_eq!(pairs(&links, &[key(2, 9), other_namespace]), []);
    }

    #[test]
    fn addresses_are_read_in_network_order() {
        let ipv4 = CopyKey {
            ethertype: ETH_P_IP,
            source: [u64::from_ne_bytes([10, 0, 0, 1, 0, 0, 0, 0]), 0],
            destination: [u64::from_ne_bytes([239, 1, 2, 3, 0, 0, 0, 0]), 0],
            is_fragment: 1,
            ..key(2, 3)
        };
        let ipv6 = CopyKey {
            ethertype: ETH_P_IPV6,
            source: [0xfd0b_0000_0000_0000_u64.to_be(), 1_u64.to_be()],
            destination: [0xff05_0000_0000_0000_u64.to_be(), 0x1234_u64.to_be()],
            ..key(2, 3)
        };
        let texts: Vec<_> = folded(&[link(2), link(3)], &[ipv4, ipv6])
            .into_iter()
            .map(|copy| {
                (
                    copy.source.unwrap().to_string(),
                    copy.destination.unwrap().to_string(),
                    copy.fragments,
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                ("10.0.0.1".to_owned(), "239.1.2.3".to_owned(), true),
                ("fd0b::1".to_owned(), "ff05::1234".to_owned(), false),
            ]
        );
    }
}
