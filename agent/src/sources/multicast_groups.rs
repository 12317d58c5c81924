//! Whether programs of a namespace receive multicast groups: /proc/net/igmp and igmp6.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::namespaces::OpenNamespace;

const LONGEST_FILE: u64 = 256 * 1024;

/// All routers of a site, which the kernel itself joins on every interface of a node that forwards
/// (`ipv6_add_dev`, `dev_forward_change`).
const SITE_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 2);

/// Whether a group of more than link-local scope was joined on some device. Those of link-local scope are the network's
/// own, and every host has some.
pub fn has_joined(namespace: &OpenNamespace) -> bool {
    let file = |name| {
        namespace
            .read_proc_net(name, LONGEST_FILE)
            .unwrap_or_default()
    };
    has_ipv4(&file("igmp")) || has_ipv6(&file("igmp6"))
}

/// `igmp_mc_seq_show`: a line for each device, and below it one for each group, indented, its address as a number of the
/// machine's byte order in hexadecimal.
fn has_ipv4(text: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with('\t'))
        .filter_map(|line| u32::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(|number| Ipv4Addr::from(number.to_ne_bytes()))
        .any(|group| group.is_multicast() && group.octets()[..3] != [224, 0, 0])
}

/// `igmp6_mc_seq_show`: index, device and group, 32 hexadecimal digits.
fn has_ipv6(text: &str) -> bool {
    const LINK_LOCAL: u8 = 2;
    text.lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().nth(2)?, 16).ok())
        .map(Ipv6Addr::from_bits)
        .filter(|group| group.is_multicast() && *group != SITE_ROUTERS)
        .any(|group| group.octets()[1] & 0x0f > LINK_LOCAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_beyond_the_link_is_told_from_the_network_s_own() {
        let own = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                   1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n";
        assert!(!has_ipv4(own));
        let group = u32::from_ne_bytes([239, 77, 0, 15]);
        let joined = format!("{own}\t\t\t\t{group:08X}     1 0:00000000\t\t0\n");
        assert!(has_ipv4(&joined));
    }

    #[test]
    fn groups_of_ipv6_are_judged_by_their_scope() {
        let own = "4    eth0            ff0200000000000000000001ff000002     1 00000004 0\n\
                   4    eth0            ff010000000000000000000000000001     1 00000008 0\n\
                   4    eth0            ff050000000000000000000000000002     1 00000004 0\n";
        assert!(!has_ipv6(own));
        let joined =
            format!("{own}4    eth0            ff150000000000000000000000000015     1 0 0\n");
        assert!(has_ipv6(&joined));
    }

    #[test]
    fn nonsense_is_no_group() {
        for text in ["", "\t\n", "\tFFFFFFFFF 1\n", "a b c\n", "1 lo 0\n"] {
            assert!(!has_ipv4(text) && !has_ipv6(text), "{text:?}");
        }
    }
}
