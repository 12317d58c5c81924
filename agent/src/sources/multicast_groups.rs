//! Multicast groups that programs of a namespace receive: /proc/net/igmp and igmp6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{namespaces::OpenNamespace, proc_net::ProcNet};
use crate::bounded::{Overflows, at_most};

/// A router for multicast may have joined thousands.
const MOST_GROUPS: usize = 1_024;

/// All routers of a site, which the kernel itself joins on every interface of a node that forwards
/// (`ipv6_add_dev`, `dev_forward_change`).
const SITE_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 2);

/// Groups of more than link-local scope that were joined on some device. Those of link-local scope are the network's
/// own, and every host has some. `None` where the namespace has no process to read through.
pub(super) fn read(namespace: &OpenNamespace, overflows: &mut Overflows) -> Option<Vec<IpAddr>> {
    let mut file = |file| Some(namespace.read_proc_net(file)?.noted(overflows));
    let ipv4 = file(ProcNet::Igmp)?;
    // A kernel without IPv6 has no such file.
    let ipv6 = file(ProcNet::Igmp6).unwrap_or_default();
    let ipv4 = groups_of_ipv4(&ipv4).map(IpAddr::V4);
    let ipv6 = groups_of_ipv6(&ipv6).map(IpAddr::V6);
    let groups = at_most(ipv4.chain(ipv6), MOST_GROUPS, "multicast groups");
    let mut groups = groups.noted(overflows);
    groups.sort_unstable();
    groups.dedup();
    Some(groups)
}

/// `igmp_mc_seq_show`: a line for each device, and below it one for each group, indented, its address as a number of the
/// machine's byte order in hexadecimal.
pub(super) fn groups_of_ipv4(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    text.lines()
        .filter(|line| line.starts_with('\t'))
        .filter_map(|line| u32::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(|number| Ipv4Addr::from(number.to_ne_bytes()))
        .filter(|group| group.is_multicast() && group.octets()[..3] != [224, 0, 0])
}

/// `igmp6_mc_seq_show`: index, device and group, 32 hexadecimal digits.
pub(super) fn groups_of_ipv6(text: &str) -> impl Iterator<Item = Ipv6Addr> {
    const LINK_LOCAL: u8 = 2;
    text.lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().nth(2)?, 16).ok())
        .map(Ipv6Addr::from_bits)
        .filter(|group| group.is_multicast() && *group != SITE_ROUTERS)
        .filter(|group| group.octets()[1] & 0x0f > LINK_LOCAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_beyond_the_link_is_told_from_the_network_s_own() {
        let own = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                   1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n";
        assert_eq!(groups_of_ipv4(own).count(), 0);
        let group = u32::from_ne_bytes([239, 77, 0, 15]);
        let joined = format!("{own}\t\t\t\t{group:08X}     1 0:00000000\t\t0\n");
        let joined: Vec<_> = groups_of_ipv4(&joined).collect();
        assert_eq!(joined, [Ipv4Addr::new(239, 77, 0, 15)]);
    }

    #[test]
    fn groups_of_ipv6_are_judged_by_their_scope() {
        let own = "4    eth0            ff0200000000000000000001ff000002     1 00000004 0\n\
                   4    eth0            ff010000000000000000000000000001     1 00000008 0\n\
                   4    eth0            ff050000000000000000000000000002     1 00000004 0\n";
        assert_eq!(groups_of_ipv6(own).count(), 0);
        let joined =
            format!("{own}4    eth0            ff150000000000000000000000000015     1 0 0\n");
        assert_eq!(groups_of_ipv6(&joined).count(), 1);
    }

    #[test]
    fn nonsense_is_no_group() {
        for text in ["", "\t\n", "\tFFFFFFFFF 1\n", "a b c\n", "1 lo 0\n"] {
            assert_eq!(groups_of_ipv4(text).count(), 0, "{text:?}");
            assert_eq!(groups_of_ipv6(text).count(), 0, "{text:?}");
        }
    }
}
