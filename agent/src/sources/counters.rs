//! Protocol counters of a namespace: /proc/net/{snmp,snmp6,netstat} and conntrack's statistics.

use std::collections::BTreeMap;

use super::{namespaces::OpenNamespace, text::printable};

/// Counters by name: `Tcp.InCsumErrors`, `Udp6.InErrors`, `TcpExt.TCPTimeouts`, `Conntrack.invalid`.
pub type Counters = BTreeMap<String, u64>;

/// A kernel knows about 400 of them; the ICMP ones come by message type.
const MOST_COUNTERS: usize = 2_048;
const LONGEST_NAME: usize = 64;
const LONGEST_FILE: u64 = 256 * 1024;

/// Reads all counters of a namespace; empty when it has no process to read them through.
pub fn read(namespace: &OpenNamespace) -> Counters {
    let mut counters = Counters::new();
    for (file, parse) in [
        ("snmp", parse_lines_of_pairs as fn(&str, &mut Counters)),
        ("netstat", parse_lines_of_pairs),
        ("snmp6", parse_snmp6),
        ("stat/nf_conntrack", parse_conntrack),
    ] {
        if let Some(text) = namespace.read_proc_net(file, LONGEST_FILE) {
            parse(&text, &mut counters);
        }
    }
    counters
}

/// `snmp` and `netstat`: a line of names, then a line of values, both with the protocol in front.
fn parse_lines_of_pairs(text: &str, counters: &mut Counters) {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (mut names, mut values) = (names.split_whitespace(), values.split_whitespace());
        let (Some(protocol), Some(same)) = (names.next(), values.next()) else {
            continue;
        };
        if protocol != same {
            return; // not the format that this was written for
        }
        let protocol = protocol.trim_end_matches(':');
        for (name, value) in names.zip(values) {
            insert(counters, protocol, name, value.parse().ok());
        }
    }
}

/// `snmp6`: `Udp6InErrors   0`.
fn parse_snmp6(text: &str, counters: &mut Counters) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(key), Some(value)) = (words.next(), words.next()) else {
            continue;
        };
        // The longer name first, or UdpLite6 would never be told from it.
        let split = ["UdpLite6", "Icmp6", "Udp6", "Ip6"]
            .into_iter()
            .find_map(|protocol| Some((protocol, key.strip_prefix(protocol)?)));
        if let Some((protocol, name)) = split {
            insert(counters, protocol, name, value.parse().ok());
        }
    }
}

/// `stat/nf_conntrack`: a line of names, then a line of hexadecimal values for each CPU. `entries` is no statistic of
/// a CPU; every line repeats it.
fn parse_conntrack(text: &str, counters: &mut Counters) {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap_or("").split_whitespace().collect();
    let mut sums = Counters::new();
    for line in lines {
        for (name, value) in names.iter().zip(line.split_whitespace()) {
            if let (true, Ok(value)) = (*name != "entries", u64::from_str_radix(value, 16)) {
                let sum: &mut u64 = sums.entry((*name).to_owned()).or_default();
                *sum = sum.saturating_add(value);
            }
        }
    }
    for (name, sum) in sums {
        insert(counters, "Conntrack", &name, Some(sum));
    }
}

/// Keeps a counter. What is no unsigned number (`Tcp.MaxConn` is -1) counts nothing and is left out.
fn insert(counters: &mut Counters, protocol: &str, name: &str, value: Option<u64>) {
    if let Some(value) = value
        && counters.len() < MOST_COUNTERS
    {
        let name = format!("{protocol}.{name}");
        counters.insert(printable(&name, LONGEST_NAME), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(parse: fn(&str, &mut Counters), text: &str) -> Vec<(String, u64)> {
        let mut counters = Counters::new();
        parse(text, &mut counters);
        counters.into_iter().collect()
    }

    fn expect(entries: &[(&str, u64)]) -> Vec<(String, u64)> {
        let owned = |(name, value): &(&str, u64)| ((*name).to_owned(), *value);
        entries.iter().map(owned).collect()
    }

    #[test]
    fn names_and_values_of_two_lines_belong_together() {
        let text = "Tcp: MaxConn InErrs InCsumErrors\nTcp: -1 3 30\nUdp: InErrors\nUdp: 7\n";
        assert_eq!(
            parsed(parse_lines_of_pairs, text),
            expect(&[
                ("Tcp.InCsumErrors", 30),
                ("Tcp.InErrs", 3),
                ("Udp.InErrors", 7)
            ])
        );
    }

    #[test]
    fn keys_of_ipv6_are_split_after_their_protocol() {
        let text =
            "Ip6InReceives \t1\nIcmp6InMsgs 2\nUdp6InErrors 3\nUdpLite6InErrors 4\nOther 5\n";
        assert_eq!(
            parsed(parse_snmp6, text),
            expect(&[
                ("Icmp6.InMsgs", 2),
                ("Ip6.InReceives", 1),
                ("Udp6.InErrors", 3),
                ("UdpLite6.InErrors", 4)
            ])
        );
    }

    #[test]
    fn conntrack_is_summed_over_the_cpus() {
        let text =
            "entries found invalid\n0000000a 00000001 0000001f\n0000000a 00000002 00000001\n";
        assert_eq!(
            parsed(parse_conntrack, text),
            expect(&[("Conntrack.found", 3), ("Conntrack.invalid", 32)])
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in [
            "",
            "\n\n\n",
            "Tcp:\nUdp:\n",
            "x",
            "a b\nz z\n",
            "\u{1b}[2J 1\n",
        ] {
            for parse in [parse_lines_of_pairs, parse_snmp6, parse_conntrack] {
                assert_eq!(parsed(parse, text), [], "{text:?}");
            }
        }
        let many: String = (0..9_999).map(|n| format!("Ip6Name{n} 1\n")).collect();
        assert_eq!(parsed(parse_snmp6, &many).len(), MOST_COUNTERS);
    }
}
