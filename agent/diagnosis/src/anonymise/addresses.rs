//! IP and link layer addresses.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::packets::frame::Mac;

/// Replaces addresses so that two that share a prefix share one of the same length afterwards: subnets stay subnets.
/// (Xu et al., Prefix-Preserving IP Address Anonymization, 2002.) What kind of address one is stays visible.
pub(super) struct Addresses {
    seed: u64,
    stations: BTreeMap<Mac, u32>,
}

impl Addresses {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
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
            _ => 8,
        };
        // The last address of a /24 stays the last, and no other becomes it: it is its network's broadcast address.
        let is_last_so_far = |at: u32, before: u128| {
            let ones = (1_u128 << at.saturating_sub(24)) - 1;
            at >= 24 && before & ones == ones
        };
        let bits = u128::from(u32::from(address));
        let bits = self.permute_except(bits, 32, kept, is_last_so_far);
        Ipv4Addr::from(u32::try_from(bits).unwrap_or_default())
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
            let count = u32::try_from(self.stations.len()).unwrap_or(u32::MAX);
            let number = *self
                .stations
                .entry(address)
                .or_insert(count.saturating_add(1));
            let [w, x, y, z] = number.to_be_bytes();
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

    /// The replacement of a link layer address in the usual spelling; nothing for another text.
    pub(super) fn mac_text(&mut self, text: &str) -> Option<String> {
        let is_spelled_out = text.len() == "00:00:00:00:00:00".len();
        let address = Mac::parse(text).filter(|_| is_spelled_out)?;
        Some(self.mac(address).to_string())
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
        let mut new = |text: &str| addresses.mac_text(text).expect("an address");
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
        assert_eq!(addresses.mac_text("1:2:3:4:5:6"), None);
        assert_eq!(addresses.mac_text("promiscuous"), None);
    }
}
