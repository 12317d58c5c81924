//! The formats of /proc/net/snmp, netstat and snmp6. Pure.

use std::iter;

/// Protocol, name and value of each counter of `snmp` and `netstat`: a line of names, then a line of values, both with
/// the protocol in front. What is no unsigned number (`Tcp.MaxConn` is -1) counts nothing and is left out.
pub(super) fn pairs_of_lines(text: &str) -> impl Iterator<Item = (&str, &str, u64)> {
    let mut lines = text.lines();
    let pairs = iter::from_fn(move || Some((lines.next()?, lines.next()?)));
    // Where the protocols differ, it is not the format that this was written for.
    let of_protocols = pairs.map_while(|(names, values)| {
        let (protocol, names) = names.split_once(':')?;
        let (same, values) = values.split_once(':')?;
        (protocol == same).then_some((protocol, names, values))
    });
    of_protocols.flat_map(|(protocol, names, values)| {
        let counters = names.split_whitespace().zip(values.split_whitespace());
        counters.filter_map(move |(name, value)| Some((protocol, name, value.parse().ok()?)))
    })
}

/// The same of `snmp6`: `Udp6InErrors   0`.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (&str, &str, u64)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (key, value) = (words.next()?, words.next()?);
        // The longer name first, or UdpLite6 would never be told from it.
        let (protocol, name) = ["UdpLite6", "Icmp6", "Udp6", "Ip6"]
            .into_iter()
            .find_map(|protocol| Some((protocol, key.strip_prefix(protocol)?)))?;
        Some((protocol, name, value.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_of_two_lines_belong_together() {
        let text = "Tcp: MaxConn InErrs InCsumErrors\nTcp: -1 3 30\nUdp: InErrors\nUdp: 7\n\
                    TcpExt: PAWSActive\nTcpExt: 4\n";
        let expected = [
            ("Tcp", "InErrs", 3),
            ("Tcp", "InCsumErrors", 30),
            ("Udp", "InErrors", 7),
            ("TcpExt", "PAWSActive", 4),
        ];
        assert!(pairs_of_lines(text).eq(expected));
    }

    #[test]
    fn keys_of_ipv6_are_split_after_their_protocol() {
        let text =
            "Ip6InReceives \t1\nIcmp6InMsgs 2\nUdp6InErrors 3\nUdpLite6InErrors 4\nOther 5\n";
        let expected = [
            ("Ip6", "InReceives", 1),
            ("Icmp6", "InMsgs", 2),
            ("Udp6", "InErrors", 3),
            ("UdpLite6", "InErrors", 4),
        ];
        assert!(lines(text).eq(expected));
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in [
            "",
            "\n\n\n",
            "Tcp:\nUdp:\n",
            "Tcp: Name\nUdp: 1\n",
            "x",
            "a b\nz z\n",
            "\u{1b}[2J 1\n",
        ] {
            assert_eq!(pairs_of_lines(text).count(), 0, "{text:?}");
            assert_eq!(lines(text).count(), 0, "{text:?}");
        }
    }
}
