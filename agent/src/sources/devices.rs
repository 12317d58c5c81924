//! The facts of a device that only the kernel's own structures show: flags in force, why it is promiscuous, its
//! features, and the cookie of its namespace. Pure, except for the agent's own sysfs.

use std::{collections::HashMap, fs};

use netdiag_abi::net_devices::{MAX_DEVICES, NetDeviceRecord};
use netdiag_diagnosis::evidence::{Link, NetnsId};

use crate::bounded::{Bounded, Overflows};

/// NETIF_F_CSUM_MASK: NETIF_F_IP_CSUM, NETIF_F_HW_CSUM and NETIF_F_IPV6_CSUM (include/linux/netdev_features.h, the
/// same bits since 2.6.39).
const CHECKSUM_FEATURES: u64 = 1 << 1 | 1 << 3 | 1 << 4;

/// NETIF_F_GRO of the same header, the same bit since 2.6.29.
const RECEIVE_OFFLOAD: u64 = 1 << 14;

/// Cookies of namespaces by number. A number that stands for two namespaces at once (one is ending) has none.
pub(super) fn cookies(records: &[NetDeviceRecord]) -> HashMap<NetnsId, u64> {
    let mut cookies = HashMap::new();
    for record in records.iter().filter(|record| record.cookie != 0) {
        let known = cookies.entry(NetnsId(record.inum)).or_insert(record.cookie);
        if *known != record.cookie {
            *known = 0;
        }
    }
    cookies.retain(|_, cookie| *cookie != 0);
    cookies
}

/// Notes the namespaces of which the program writes no more devices than these.
pub(super) fn note_bounds(records: &[NetDeviceRecord], overflows: &mut Overflows) {
    let most = usize::try_from(MAX_DEVICES).unwrap_or(usize::MAX);
    let mut devices = HashMap::<(u64, u32), usize>::new();
    for record in records {
        *devices.entry((record.cookie, record.inum)).or_default() += 1;
    }
    for _ in devices.into_values().filter(|devices| *devices >= most) {
        Bounded::ended((), "devices with their flags in force", most).noted(overflows);
    }
}

/// Fills the links that have a record. `cookie` gives that of a link's namespace, where it is known.
pub(super) fn fill(
    links: &mut [Link],
    records: &[NetDeviceRecord],
    cookie: impl Fn(NetnsId) -> Option<u64>,
) {
    let by_place: HashMap<_, _> = records
        .iter()
        .map(|record| ((record.cookie, record.inum, record.ifindex), record))
        .collect();
    for link in links {
        let place = (cookie(link.netns).unwrap_or(0), link.netns.0, link.ifindex);
        if let Some(record) = by_place.get(&place) {
            link.effective_flags = Some(record.flags);
            link.unicast_promiscuous = Some(record.unicast_promiscuous != 0);
            link.tx_checksum_offload = Some(record.features & CHECKSUM_FEATURES != 0);
            link.receive_offload = Some(record.features & RECEIVE_OFFLOAD != 0);
        }
    }
}

/// Fills the flags in force of the agent's own links from sysfs, which shows those of the namespace in which it was
/// mounted: a link of the same name and index is the same.
pub(super) fn fill_own_from_sysfs(links: &mut [Link], own: NetnsId) {
    // A name becomes part of a path here; dev_valid_name() allows no slash, but an escaped or cut name is another one.
    let is_ours = |link: &&mut Link| link.netns == own && !link.name.contains('/');
    for link in links.iter_mut().filter(is_ours) {
        let read = |file: &str| fs::read_to_string(format!("/sys/class/net/{}/{file}", link.name));
        let same = read("ifindex").is_ok_and(|text| text.trim().parse() == Ok(link.ifindex));
        if same {
            link.effective_flags = read("flags").ok().and_then(|text| parse_flags(&text));
        }
    }
}

pub(super) fn parse_flags(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cookie: u64, inum: u32, ifindex: u32) -> NetDeviceRecord {
        NetDeviceRecord {
            cookie,
            inum,
            ifindex,
            flags: 0x1103,
            features: 1 << 3,
            unicast_promiscuous: 1,
        }
    }

    #[test]
    fn a_link_gets_what_the_kernel_says_of_it() {
        let mut links = vec![Link {
            netns: NetnsId(7),
            ifindex: 2,
            ..Link::default()
        }];
        fill(&mut links, &[record(5, 7, 3)], |_| Some(5));
        assert_eq!(links[0].effective_flags, None);
        fill(&mut links, &[record(6, 7, 2)], |_| Some(5));
        assert_eq!(links[0].effective_flags, None, "of another namespace");
        fill(&mut links, &[record(5, 7, 2)], |_| Some(5));
        assert_eq!(links[0].effective_flags, Some(0x1103));
        assert_eq!(links[0].unicast_promiscuous, Some(true));
        assert_eq!(links[0].tx_checksum_offload, Some(true));
        assert_eq!(links[0].receive_offload, Some(false));
    }

    #[test]
    fn a_namespace_with_as_many_devices_as_are_written_may_have_more() {
        let texts = |devices| {
            let records: Vec<_> = (1..=devices).map(|index| record(5, 7, index)).collect();
            let mut overflows = Overflows::default();
            note_bounds(&records, &mut overflows);
            overflows
                .missing()
                .map(|missing| missing.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(MAX_DEVICES - 1), [""; 0]);
        let text = "devices with their flags in force beyond the limit of 768";
        assert_eq!(texts(MAX_DEVICES), [text]);
    }

    #[test]
    fn a_number_of_two_namespaces_has_no_cookie() {
        let records = [
            record(5, 7, 1),
            record(5, 7, 2),
            record(6, 8, 1),
            record(9, 8, 1),
        ];
        assert_eq!(cookies(&records), HashMap::from([(NetnsId(7), 5)]));
    }

    #[test]
    fn flags_of_sysfs_are_hexadecimal() {
        assert_eq!(parse_flags("0x1103\n"), Some(0x1103));
        assert_eq!(parse_flags("1103"), None);
    }
}
