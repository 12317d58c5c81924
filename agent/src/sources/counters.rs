//! Protocol counters of a namespace: /proc/net/{snmp,snmp6,netstat} and conntrack's statistics.

use std::collections::BTreeMap;

use netdiag_diagnosis::text::printable_up_to;

use super::{namespaces::OpenNamespace, proc_net::ProcNet, snmp};
use crate::bounded::{Bounded, Overflows};

/// Counters by name: `Tcp.InCsumErrors`, `Udp6.InErrors`, `TcpExt.TCPTimeouts`, `Conntrack.invalid`.
pub(super) type Counters = BTreeMap<String, u64>;

/// A kernel knows about 400 of them; the ICMP ones come by message type.
const MOST_COUNTERS: usize = 2_048;
const LONGEST_NAME: usize = 64;

/// The counters of a namespace, and the number of connections that it tracks.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) counters: Counters,
    /// Absent where connection tracking is not loaded, or shows no file.
    pub(super) connections: Option<u64>,
}

/// Reads all counters of a namespace; empty when it has no process to read them through.
pub(super) fn read(namespace: &OpenNamespace, overflows: &mut Overflows) -> Read {
    let mut read = Read::default();
    let counters = &mut read.counters;
    for file in [ProcNet::Snmp, ProcNet::Netstat] {
        if let Some(text) = namespace.read_proc_net(file) {
            let text = text.noted(overflows);
            add(counters, snmp::pairs_of_lines(&text)).noted(overflows);
        }
    }
    if let Some(text) = namespace.read_proc_net(ProcNet::Snmp6) {
        let text = text.noted(overflows);
        add(counters, snmp::lines(&text)).noted(overflows);
    }
    if let Some(text) = namespace.read_proc_net(ProcNet::Conntrack) {
        let text = text.noted(overflows);
        let sums = parse_conntrack(&text);
        let sums = sums.iter().map(|(name, sum)| ("Conntrack", *name, *sum));
        add(counters, sums).noted(overflows);
        read.connections = parse_connections(&text);
    }
    read
}

/// Adds counters by protocol and name, as far as there is room.
pub(super) fn add<'a>(
    counters: &mut Counters,
    read: impl Iterator<Item = (&'a str, &'a str, u64)>,
) -> Bounded<()> {
    let mut left_out = 0;
    for (protocol, name, value) in read {
        if counters.len() == MOST_COUNTERS {
            left_out += 1;
            continue;
        }
        let name = format!("{protocol}.{name}");
        counters.insert(printable_up_to(&name, LONGEST_NAME), value);
    }
    Bounded::without((), "counters of protocols", MOST_COUNTERS, left_out)
}

/// `stat/nf_conntrack`: a line of names, then a line of hexadecimal values for each CPU. `entries` is no statistic of
/// a CPU; every line repeats it.
pub(super) fn parse_conntrack(text: &str) -> BTreeMap<&str, u64> {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap_or("").split_whitespace().collect();
    let mut sums = BTreeMap::new();
    for line in lines {
        for (name, value) in names.iter().zip(line.split_whitespace()) {
            if let (true, Ok(value)) = (*name != "entries", u64::from_str_radix(value, 16)) {
                let sum: &mut u64 = sums.entry(*name).or_default();
                *sum = sum.saturating_add(value);
            }
        }
    }
    sums
}

/// `entries` of `stat/nf_conntrack`: the namespace's tracked connections (`nf_conntrack_count`).
fn parse_connections(text: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    let place = lines.next()?.position(|name| name == "entries")?;
    u64::from_str_radix(lines.next()?.nth(place)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::NAMESPACE_BYTES;

    #[test]
    fn conntrack_is_summed_over_the_cpus() {
        let text =
            "entries found invalid\n0000000a 00000001 0000001f\n0000000a 00000002 00000001\n";
        assert!(
            parse_conntrack(text)
                .into_iter()
                .eq([("found", 3), ("invalid", 32)])
        );
        assert_eq!(parse_connections(text), Some(10));
    }

    #[test]
    fn nonsense_gives_no_conntrack() {
        for text in ["", "\n\n\n", "Tcp:\nUdp:\n", "x", "\u{1b}[2J 1\n"] {
            assert_eq!(parse_conntrack(text), BTreeMap::new(), "{text:?}");
            assert_eq!(parse_connections(text), None, "{text:?}");
        }
    }

    /// As the kernel of this machine has them; a quarter of the estimate is for the rest of a namespace's evidence.
    #[test]
    fn counters_at_both_ends_leave_a_quarter_of_a_namespace_s_estimate() {
        let text = |file: &str| std::fs::read_to_string(format!("/proc/net/{file}"));
        let mut counters = Counters::new();
        for file in ["snmp", "netstat"] {
            let text = text(file).unwrap();
            assert!(add(&mut counters, snmp::pairs_of_lines(&text)).is_whole());
        }
        let text = text("snmp6").unwrap_or_default();
        assert!(add(&mut counters, snmp::lines(&text)).is_whole());
        assert!(counters.len() > 100, "{}", counters.len());
        // Nodes of the tree are half full at least, and an allocation takes 16 bytes more than it was asked for.
        let entry = 2 * size_of::<(String, u64)>();
        let bytes: usize = counters
            .keys()
            .map(|name| name.capacity() + 16 + entry)
            .sum();
        println!("{} counters, {bytes} bytes at each end", counters.len());
        assert!(2 * bytes as u64 <= NAMESPACE_BYTES / 4 * 3, "{bytes}");
    }

    #[test]
    fn no_more_counters_are_kept_than_a_kernel_has() {
        let text: String = (0..9_999).map(|n| format!("Ip6Name{n} 1\n")).collect();
        let mut counters = Counters::new();
        assert!(!add(&mut counters, snmp::lines(&text)).is_whole());
        assert_eq!(counters.len(), MOST_COUNTERS);
    }
}
