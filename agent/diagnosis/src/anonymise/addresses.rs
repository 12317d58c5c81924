//! IP and link layer addresses.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::packets::frame::Mac;

/// Replaces addresses so that two that share a prefix share one of the same length afterwards: subnets stay subnets.
/// (Xu et al., Prefix-Preserving IP Address Anonymization, 2002.) What kind of address one is stays visible, and whose it
/// is does not: of public addresses no bit stays.
pub(super) struct Addresses {
    seed: u128,
    /// Public /8 networks of IPv4, by those that they replace.
    octets: BTreeMap<u8, u8>,
    /// The same of public /16 networks, in those /8 that have private networks too.
    networks: BTreeMap<u16, u16>,
    stations: BTreeMap<Vec<u8>, u32>,
}

impl Addresses {
    pub(super) fn new(seed: u128) -> Self {
        Self {
            seed,
            octets: exchanged(public_octets(), seed),
            networks: exchanged(public_networks(), seed),
            stations: BTreeMap::new(),
        }
    }

    pub(super) fn ip(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => self.v4(address).into(),
            IpAddr::V6(address) => self.v6(address).into(),
        }
    }

    pub(super) fn v4(&self, address: Ipv4Addr) -> Ipv4Addr {
        let [a, b, c, _] = address.octets();
        let kept = match (a, b, c) {
            (0 | 127, ..) | (224, 0, 0) => return address,
            _ if address.is_broadcast() => return address,
            (169, 254, _) | (192, 168, _) => 16,
            (172, 16..=31, _) => 12,
            (100, 64..=127, _) => 10, // shared by a provider's customers (RFC 6598)
            (10 | 224.., ..) => 8,
            _ => 16,
        };
        let (address, kept) = self.exchanged(address).unwrap_or((address, kept));
        // The last address of a /24 stays the last, and no other becomes it: it is its network's broadcast address.
        let is_last_so_far = |at: u32, before: u128| {
            let ones = (1_u128 << at.saturating_sub(24)) - 1;
            at >= 24 && before & ones == ones
        };
        let bits = u128::from(u32::from(address));
        let bits = self.permute_except(bits, 32, kept, is_last_so_far);
        Ipv4Addr::from(u32::try_from(bits).unwrap_or_default())
    }

    /// A public address in the network that its own was exchanged for, and the length of that network's prefix.
    fn exchanged(&self, address: Ipv4Addr) -> Option<(Ipv4Addr, u32)> {
        let [a, b, c, d] = address.octets();
        if let Some(a) = self.octets.get(&a) {
            return Some((Ipv4Addr::new(*a, b, c, d), 8));
        }
        let network = self.networks.get(&u16::from_be_bytes([a, b]))?;
        let [a, b] = network.to_be_bytes();
        Some((Ipv4Addr::new(a, b, c, d), 16))
    }

    pub(super) fn v6(&self, address: Ipv6Addr) -> Ipv6Addr {
        if let Some(inner) = address.to_ipv4_mapped() {
            return self.v4(inner).to_ipv6_mapped();
        }
        let bits = u128::from(address);
        let kept = if bits <= 1 {
            return address; // unspecified and loopback
        } else if address.is_multicast() {
            match bits << 16 >> 16 {
                0..=0xffff => return address,       // a group that a standard defines
                rest if rest >> 24 == 0x1ff => 104, // solicited-node (RFC 4291): ends as a host's address does
                _ => 16,
            }
        } else if address.is_unicast_link_local() {
            64
        } else if address.is_unique_local() {
            8
        } else if bits >> 125 == 1 {
            3 // global unicast
        } else {
            16
        };
        Ipv6Addr::from(self.permute(bits, 128, kept))
    }

    pub(super) fn mac(&mut self, address: Mac) -> Mac {
        let [a, b, c, d, e, f] = address.0;
        if address.0 == [0; 6] {
            return address;
        }
        if !address.is_multicast() {
            let [w, x, y, z] = self.station(&address.0).to_be_bytes();
            return Mac([0x02, 0, w, x, y, z]);
        }
        // Groups of IP are made from the address of the group (RFC 1112, RFC 2464).
        match (a, b, c) {
            (0x33, 0x33, 0) | (0x01, 0x00, 0x5e) if (d, e) == (0, 0) => address,
            (0x33, 0x33, _) | (0x01, 0x00, 0x5e) => {
                let bits = u128::from(u32::from_be_bytes([0, d, e, f]));
                let [.., d, e, f] = self.permute(bits, 24, 0).to_be_bytes();
                Mac([a, b, c, d, e, f])
            }
            _ => address,
        }
    }

    /// The number of a station, from 1 on.
    fn station(&mut self, address: &[u8]) -> u32 {
        let count = u32::try_from(self.stations.len()).unwrap_or(u32::MAX);
        let number = self.stations.entry(address.to_vec());
        *number.or_insert(count.saturating_add(1))
    }

    /// The replacement of a link layer address of any length in the usual spelling; nothing for another text. A tunnel's
    /// is an IP address.
    pub(super) fn link_address(&mut self, text: &str) -> Option<String> {
        let octet = |octet: &str| match octet.len() {
            2 => u8::from_str_radix(octet, 16).ok(),
            _ => None,
        };
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        let mut octets = octets.filter(|octets| octets.len() > 1)?;
        let is_nothing = octets.iter().all(|octet| *octet == 0);
        if let Ok(octets) = <[u8; 6]>::try_from(octets.as_slice()) {
            return Some(self.mac(Mac(octets)).to_string());
        } else if let Ok(octets) = <[u8; 4]>::try_from(octets.as_slice()) {
            return Some(spelled(&self.v4(octets.into()).octets()));
        } else if let Ok(octets) = <[u8; 16]>::try_from(octets.as_slice()) {
            return Some(spelled(&self.v6(octets.into()).octets()));
        } else if !is_nothing {
            let number = self.station(&octets);
            octets.fill(0);
            let places = octets.iter_mut().rev();
            for (place, octet) in places.zip(number.to_le_bytes()) {
                *place = octet;
            }
        }
        Some(spelled(&octets))
    }

    /// Flips each bit behind the `kept` first of `width` or not, as those before it say.
    fn permute(&self, bits: u128, width: u32, kept: u32) -> u128 {
        self.permute_except(bits, width, kept, |_, _| false)
    }

    /// The same without a flip of the bit at a place behind bits that are fixed.
    fn permute_except(
        &self,
        bits: u128,
        width: u32,
        kept: u32,
        is_fixed: impl Fn(u32, u128) -> bool,
    ) -> u128 {
        (kept..width).fold(bits, |new, at| {
            let before = bits.checked_shr(width - at).unwrap_or(0);
            if is_fixed(at, before) {
                return new;
            }
            let mut hasher = DefaultHasher::new();
            (self.seed, width, at, before).hash(&mut hasher);
            let flip = u128::from(hasher.finish() & 1);
            new ^ (flip << (width - at - 1))
        })
    }
}

fn spelled(octets: &[u8]) -> String {
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

/// First octets of IPv4 addresses that are all public.
fn public_octets() -> Vec<u8> {
    let has_private = |octet: &u8| matches!(octet, 10 | 100 | 127 | 169 | 172 | 192);
    (1..=223).filter(|octet| !has_private(octet)).collect()
}

/// Public /16 networks beside private ones.
fn public_networks() -> Vec<u16> {
    let is_public = |network: &u16| match network.to_be_bytes() {
        [100, second] => !(64..=127).contains(&second),
        [169, second] => second != 254,
        [172, second] => !(16..=31).contains(&second),
        [192, second] => second != 168,
        _ => false,
    };
    (0..=u16::MAX).filter(is_public).collect()
}

/// Each of them with another, in an order that only the seed tells.
fn exchanged<T: Copy + Hash + Ord>(all: Vec<T>, seed: u128) -> BTreeMap<T, T> {
    let mut shuffled = all.clone();
    shuffled.sort_by_cached_key(|one| {
        let mut hasher = DefaultHasher::new();
        (seed, one).hash(&mut hasher);
        hasher.finish()
    });
    all.into_iter().zip(shuffled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common_prefix(a: IpAddr, b: IpAddr) -> u32 {
        match (a, b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
            _ => 0,
        }
    }

    #[test]
    fn the_broadcast_address_of_a_network_stays_it_and_no_other_becomes_it() {
        for seed in 0..16 {
            let addresses = Addresses::new(seed);
            let all = (0..=255).map(|last| addresses.v4([10, 1, 2, last].into()).octets());
            let last: Vec<u8> = all.map(|octets| octets[3]).collect();
            assert_eq!(last[255], 255);
            let others: std::collections::BTreeSet<u8> = last[..255].iter().copied().collect();
            assert_eq!(others, (0..255).collect());
        }
    }

    #[test]
    fn subnets_stay_subnets() {
        let addresses = Addresses::new(7);
        let all: Vec<IpAddr> = [
            "10.1.2.3",
            "10.1.2.77",
            "10.1.9.3",
            "203.0.113.9",
            "fd00:1::1",
            "fd00:1::2",
            "fd00:2::1",
            "fe80::5054:ff:fe12:3456",
        ]
        .into_iter()
        .map(|text| text.parse().expect("an address"))
        .collect();
        for a in &all {
            assert_ne!(addresses.ip(*a), *a);
            assert_ne!(addresses.ip(*a), Addresses::new(8).ip(*a));
            for b in &all {
                let new = (addresses.ip(*a), addresses.ip(*b));
                assert_eq!(common_prefix(*a, *b), common_prefix(new.0, new.1));
            }
        }
    }

    #[test]
    fn the_kind_of_an_address_stays() {
        let addresses = Addresses::new(7);
        for same in [
            "127.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.251",
            "::1",
            "ff02::fb",
        ] {
            let address: IpAddr = same.parse().expect("an address");
            assert_eq!(addresses.ip(address), address);
        }
        for (text, kept) in [
            ("192.168.7.9", 16),
            ("239.7.8.9", 8),
            ("fe80::1:2", 64),
            ("ff02::1:ff12:3456", 104),
            ("ff05::1:2:3", 16),
        ] {
            let address: IpAddr = text.parse().expect("an address");
            let new = addresses.ip(address);
            assert!(
                new != address && common_prefix(new, address) >= kept,
                "{text} {new}"
            );
        }
    }

    #[test]
    fn stations_are_numbered_and_groups_stay_groups() {
        let mut addresses = Addresses::new(7);
        let mut new = |text: &str| addresses.link_address(text).expect("an address");
        assert_eq!(new("52:54:00:12:34:56"), "02:00:00:00:00:01");
        assert_eq!(new("2c:dd:e9:01:3a:10"), "02:00:00:00:00:02");
        assert_eq!(new("52:54:00:12:34:56"), "02:00:00:00:00:01");
        for same in [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "01:80:c2:00:00:0e",
            "33:33:00:00:00:01",
        ] {
            assert_eq!(new(same), same);
        }
        let solicited = new("33:33:ff:12:34:56");
        assert!(solicited.starts_with("33:33:ff:") && solicited != "33:33:ff:12:34:56");
        for other in ["1:2:3:4:5:6", "promiscuous", "ab", "12:34:5", ""] {
            assert_eq!(addresses.link_address(other), None, "{other}");
        }
    }

    #[test]
    fn link_layer_addresses_of_other_lengths_are_replaced_too() {
        let mut addresses = Addresses::new(7);
        let mut new = |text: &str| addresses.link_address(text).expect("an address");
        let infiniband = "80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1";
        assert_eq!(new(infiniband), format!("{}01", "00:".repeat(19)));
        assert_eq!(new("00:11:22:33:44:55:66:77"), "00:00:00:00:00:00:00:02");
        assert_eq!(new("0a:0b"), "00:03");
        // A tunnel's: of IPv4 in four octets, as elsewhere.
        let tunnel = new("0a:01:02:03");
        assert_eq!(new("00:00:00:00"), "00:00:00:00");
        let v6 = new("fd:00:00:01:00:00:00:00:00:00:00:00:00:00:00:01");
        assert!(
            v6.starts_with("fd:") && v6.len() == 47 && !v6.ends_with("00:01"),
            "{v6}"
        );
        let v4 = addresses.v4([10, 1, 2, 3].into());
        assert_eq!(tunnel, spelled(&v4.octets()));
        assert_ne!(v4, Ipv4Addr::from([10, 1, 2, 3]));
    }

    #[test]
    fn of_a_public_address_no_prefix_stays_and_its_subnets_do() {
        let special = |address: Ipv4Addr| {
            let [a, b, ..] = address.octets();
            address.is_private()
                || address.is_link_local()
                || matches!((a, b), (0 | 127 | 224.., _) | (100, 64..=127))
        };
        let mut kept = 0;
        for seed in 0..8 {
            let addresses = Addresses::new(seed);
            let mut targets = std::collections::BTreeSet::new();
            for a in 1..=223 {
                for b in [0, 15, 77, 168, 254] {
                    let address = Ipv4Addr::new(a, b, 9, 4);
                    let new = addresses.v4(address);
                    assert_eq!(special(new), special(address), "{address} {new}");
                    assert!(targets.insert(new), "two became {new}");
                    let neighbour = addresses.v4(Ipv4Addr::new(a, b, 9, 5));
                    assert_eq!(common_prefix(new.into(), neighbour.into()), 31);
                    if !special(address) && new.octets()[0] == a {
                        kept += 1;
                    }
                }
            }
        }
        // By chance: of about 8,900 addresses those of 6 octets stay in one of 6.
        assert!(kept < 600, "{kept}");
        let addresses = Addresses::new(3);
        let providers = ["2a02:26f0::1", "2001:4860::8888", "2606:4700::1111"];
        let new = providers.map(|text| addresses.v6(text.parse().expect("an address")));
        let changed = providers.iter().zip(new).filter(|(old, new)| {
            let old: Ipv6Addr = old.parse().expect("an address");
            old.segments()[0] != new.segments()[0] && new.segments()[0] >> 13 == 1
        });
        assert!(changed.count() >= 2, "{new:?}");
    }
}
