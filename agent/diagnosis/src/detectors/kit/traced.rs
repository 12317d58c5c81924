//! traceroute and mtr: packets whose sender chose a hop limit that ends here, to learn the way.
//!
//! A circle of routes ends packets at the same place, and a program may send one packet with a small hop limit by
//! mistake, so that a few packets and small hop limits tell nothing. A series of probes and one of two facts do: one
//! hop's datagrams of a traceroute go to ports one after the other, while in a circle those of other hops end here as
//! well; and a packet that goes in a circle comes by the device again and again before its hop limit runs out.

use std::{collections::BTreeMap, net::IpAddr, ops::RangeInclusive};

use super::harm;
use crate::{
    evidence::{DropCount, Link, PacketSample},
    kernel::{NamespaceCounter, site},
    packets::ip::{IpPacket, UDP},
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// Probes of one program that end at one hop: traceroute(8) sends three, and ten at most (`-q`). Fewer show no series.
const PROBES: RangeInclusive<usize> = 3..=10;
/// The destination ports of traceroute's datagrams: 30 hops with ten each, from its first port on.
const PORTS: RangeInclusive<u16> = 33_434..=33_733;
/// Tracing programs that give each datagram another port count up from here (mtr) or from a higher one; `traceroute -U`
/// sends all of them to the port of DNS.
const FIRST_PORT: u16 = 33_000;
const DNS_PORT: u16 = 53;
/// As many packets of one socket, sent one after the other, are no probes of one hop where more than [`PROBES`] ended.
const ROW: usize = 4;
/// A packet that some host sent with a hop limit of 64 comes by a device of two hosts that send it to each other 32 times;
/// fewer where more hosts take part.
pub(crate) const VISITS: u64 = 8;
/// Echo requests of ICMP and ICMPv6, by protocol and type.
const ECHO_REQUESTS: [(u8, u8); 2] = [(1, 8), (58, 128)];

/// The sign that the probes of one series have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Series {
    /// Datagrams. Their source port may be another each time, which a tracing program uses to recognise the answer.
    Datagrams,
    /// Echo requests with this identifier.
    Echoes(u16),
}

/// The probes of one sender to one destination, by what each has of its own: its destination port or its number.
type Probes = BTreeMap<(IpAddr, IpAddr, Series), Vec<u16>>;

/// Every one of these packets was seen, and its hop limit ended here.
pub(crate) fn have_no_hops_left(key: &DropCount, samples: &[&PacketSample]) -> bool {
    let seen = u64::try_from(samples.len());
    seen.is_ok_and(|seen| seen > 0 && seen >= key.count) && ended(samples)
}

/// The hop limit of each of these packets ended here.
pub(crate) fn ended(samples: &[&PacketSample]) -> bool {
    let mut packets = samples.iter().map(|sample| IpPacket::of_sample(sample));
    packets.all(|packet| packet.is_some_and(|packet| packet.hop_limit <= 1))
}

/// These packets may all be probes: echoes, datagrams to the ports of tracing programs and SYNs, none of which was sent
/// again, nor more of them in a row than a tracing program sends to one hop.
pub(crate) fn may_be_traced(key: &DropCount, samples: &[&PacketSample]) -> bool {
    let may_be_probes = samples.iter().all(|sample| may_be_probe(sample));
    let is_row = u64::try_from(*PROBES.end()).is_ok_and(|most| key.count > most)
        && (longest_row(samples) >= ROW || most_of_a_socket(samples) >= ROW);
    may_be_probes && !is_row && harm::dead_flows(samples.iter().copied()).is_empty()
}

fn may_be_probe(sample: &PacketSample) -> bool {
    let Some(packet) = IpPacket::of_sample(sample) else {
        return true;
    };
    if packet.protocol == UDP {
        let ports = packet.transport();
        return ports.is_none_or(|ports| {
            ports.destination_port >= FIRST_PORT || ports.destination_port == DNS_PORT
        });
    }
    let is_syn = packet.segment().is_some_and(|segment| segment.is_syn);
    is_syn || probe(&packet).is_some()
}

/// The most echoes of one program that it numbered one after the other.
fn longest_row(samples: &[&PacketSample]) -> usize {
    let mut echoes = Probes::new();
    for sample in samples {
        let packet = IpPacket::of_sample(sample);
        let echo = packet.and_then(|packet| {
            let (series, number) = probe(&packet)?;
            Some(((packet.source, packet.final_destination, series), number))
        });
        if let Some((key, number)) = echo.filter(|((_, _, series), _)| *series != Series::Datagrams)
        {
            echoes.entry(key).or_default().push(number);
        }
    }
    let rows = echoes.into_values().map(|mut numbers| {
        numbers.sort_unstable();
        let rows = numbers.chunk_by(|one, next| next.wrapping_sub(*one) == 1);
        rows.map(<[u16]>::len).max().unwrap_or_default()
    });
    rows.max().unwrap_or_default()
}

/// The most datagrams from one port to one other.
fn most_of_a_socket(samples: &[&PacketSample]) -> usize {
    let mut sockets: BTreeMap<_, usize> = BTreeMap::new();
    for packet in samples.iter().filter_map(|one| IpPacket::of_sample(one)) {
        let ports = packet.transport().filter(|_| packet.protocol == UDP);
        if let Some(ports) = ports {
            let (from, to) = (ports.source_port, ports.destination_port);
            *sockets
                .entry((packet.source, packet.destination, from, to))
                .or_default() += 1;
        }
    }
    sockets.into_values().max().unwrap_or_default()
}

/// The counter of the namespace that rises when a forwarded packet's hop limit has run out.
pub(crate) fn counter(key: &DropCount) -> Option<NamespaceCounter> {
    match key.ethertype {
        ETH_P_IP => Some(NamespaceCounter::InHdrErrors),
        ETH_P_IPV6 => Some(NamespaceCounter::Ip6InHdrErrors),
        _ => None,
    }
}

/// Each of these packets is a probe of a series, and none went in a circle.
pub(crate) fn are_probes(key: &DropCount, samples: &[&PacketSample], link: Option<&Link>) -> bool {
    let is_forwarded = key
        .location
        .is_of_any(&[&site::IP_FORWARD, &site::IP6_FORWARD]);
    let came_once = link.is_some_and(|link| came_straight(key, link));
    let is_traced = |(series, numbers): (&(_, _, Series), &Vec<u16>)| {
        is_series(numbers)
            && (came_once || series.2 == Series::Datagrams && are_of_one_hop(numbers))
    };
    is_forwarded
        && have_no_hops_left(key, samples)
        && probes(samples).is_some_and(|probes| probes.iter().all(is_traced))
}

/// The packets as probes; `None` where some packet is none.
fn probes(samples: &[&PacketSample]) -> Option<Probes> {
    let mut probes = Probes::new();
    for sample in samples {
        let packet = IpPacket::of_sample(sample)?;
        let (series, number) = probe(&packet)?;
        let key = (packet.source, packet.final_destination, series);
        let numbers = probes.entry(key).or_default();
        numbers.push(number);
        numbers.sort_unstable();
    }
    Some(probes)
}

/// A SYN is none: a program whose connections fail sends it as well.
fn probe(packet: &IpPacket<'_>) -> Option<(Series, u16)> {
    if packet.protocol == UDP {
        let ports = packet.transport()?;
        return Some((Series::Datagrams, ports.destination_port));
    }
    let bytes = packet.transport_bytes;
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    let is_echo = ECHO_REQUESTS.contains(&(packet.protocol, *bytes.first()?));
    is_echo.then_some((Series::Echoes(number(4)?), number(6)?))
}

/// Each has another port or number: a program that sends the same again waits for an answer, and its packets are wanted.
fn is_series(sorted: &[u16]) -> bool {
    PROBES.contains(&sorted.len()) && sorted.windows(2).all(|pair| pair[0] != pair[1])
}

/// Ports of traceroute, one after the other without a gap.
fn are_of_one_hop(sorted: &[u16]) -> bool {
    sorted.iter().all(|port| PORTS.contains(port))
        && sorted.windows(2).all(|pair| pair[1] - pair[0] == 1)
}

/// The device received too few packets for these to have come by again and again.
fn came_straight(key: &DropCount, link: &Link) -> bool {
    let received = harm::received_beside(link, 0);
    (key.count..key.count.saturating_mul(VISITS)).contains(&received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NODE, ipv4_drops, ipv4_sample, link};

    const HOP_LIMIT_AT: usize = 8;
    const SOURCE_HOST_AT: usize = 15;

    fn dying(protocol: u8, rest: &[u8]) -> PacketSample {
        let mut sample = ipv4_sample(protocol, [10, 9, 9, 9], rest);
        sample.bytes[HOP_LIMIT_AT] = 1;
        sample
    }

    fn datagram(from: u16, to: u16) -> PacketSample {
        let [from, to] = [from.to_be_bytes(), to.to_be_bytes()];
        dying(17, &[from[0], from[1], to[0], to[1], 0, 8, 0, 0])
    }

    /// The segment that opens a connection from this port to port 179.
    fn syn(from: u16) -> PacketSample {
        let [high, low] = from.to_be_bytes();
        let flags = [0x50, 2, 0, 0, 0, 0, 0, 0];
        let ports_and_numbers = [high, low, 0, 179, 0, 0, 0, 1, 0, 0, 0, 0];
        dying(6, &[&ports_and_numbers[..], &flags[..]].concat())
    }

    fn echo(number: u8) -> PacketSample {
        dying(1, &[8, 0, 0, 0, 0, 7, 0, number])
    }

    fn received(packets: u64) -> Link {
        let mut link = link(NODE, 2, "eth0");
        link.stats.rx_packets = packets;
        link
    }

    fn are(samples: &[PacketSample], link: Option<&Link>) -> bool {
        let count = u64::try_from(samples.len()).expect("few");
        let key = ipv4_drops(NODE, 2, "IP_INHDR", "ip_forward", count);
        are_probes(&key, &samples.iter().collect::<Vec<_>>(), link)
    }

    #[test]
    fn the_datagrams_of_one_hop_are_probes_on_the_busiest_device() {
        let busy = received(1_000_000);
        let hop = |ports: &[u16]| {
            let samples: Vec<_> = ports
                .iter()
                .map(|to| datagram(40_000 + to % 7, *to))
                .collect();
            are(&samples, Some(&busy))
        };
        assert!(hop(&[33_436, 33_434, 33_435]));
        // Those of the hop after the next one as well: the packets go in a circle.
        assert!(!hop(&[33_434, 33_435, 33_436, 33_440, 33_441, 33_442]));
        assert!(!hop(&(33_434..33_464).collect::<Vec<_>>()));
        assert!(!hop(&[53, 54, 55]));
    }

    #[test]
    fn one_datagram_or_two_are_no_series_even_to_a_port_of_traceroute() {
        for device in [received(2), received(1_000_000)] {
            let two = [datagram(40_000, 33_434), datagram(40_000, 33_435)];
            assert!(!are(&two[..1], Some(&device)));
            assert!(!are(&two, Some(&device)));
        }
        // Three senders with one each are no series either.
        let mut senders: Vec<_> = (0..3).map(|to| datagram(40_000, 33_434 + to)).collect();
        for (sample, host) in senders.iter_mut().zip(1..) {
            sample.bytes[SOURCE_HOST_AT] = host;
        }
        assert!(!are(&senders, Some(&received(3))));
    }

    #[test]
    fn other_probes_are_told_by_a_device_that_received_too_few_for_a_circle() {
        let echoes: Vec<_> = (1..4).map(echo).collect();
        assert!(are(&echoes, Some(&received(20))));
        assert!(!are(&echoes, Some(&received(24))));
        // The device does not count, or is not known.
        assert!(!are(&echoes, Some(&received(0))));
        assert!(!are(&echoes, None));
        // mtr sends one to each hop in turn.
        let hops_apart: Vec<_> = (0..3).map(|n| datagram(40_000, 33_434 + n * 5)).collect();
        assert!(are(&hops_apart, Some(&received(3))));
    }

    #[test]
    fn a_program_that_sends_the_same_again_is_no_traceroute() {
        let quiet = received(4);
        assert!(!are(&vec![datagram(40_000, 33_434); 3], Some(&quiet)));
        // From another port each time, as a client of a service does.
        let clients: Vec<_> = (0..3).map(|from| datagram(40_000 + from, 53)).collect();
        assert!(!are(&clients, Some(&quiet)));
        let syns: Vec<_> = (0..3).map(|from| syn(40_000 + from)).collect();
        assert!(!are(&syns, Some(&quiet)));
    }

    fn may_be(samples: &[PacketSample], count: u64) -> bool {
        let key = ipv4_drops(NODE, 2, "IP_INHDR", "ip_forward", count);
        may_be_traced(&key, &samples.iter().collect::<Vec<_>>())
    }

    #[test]
    fn echoes_of_each_round_and_syns_of_new_connections_may_be_traced() {
        // mtr numbers the echoes of a round one after the other, one for each hop.
        let rounds: Vec<_> = (0..4).map(|round| echo(round * 5)).collect();
        assert!(may_be(&rounds, 35));
        let row: Vec<_> = (0..4).map(echo).collect();
        assert!(may_be(&row, 4));
        assert!(!may_be(&row, 35));
        let syns: Vec<_> = (0..4).map(|from| syn(40_000 + from)).collect();
        assert!(may_be(&syns, 4));
        assert!(!may_be(&vec![syn(40_000); 3], 3));
    }

    #[test]
    fn datagrams_to_other_ports_and_many_of_one_socket_are_not_traced() {
        let to = |port: u16| {
            (0..4)
                .map(|from| datagram(40_000 + from, port))
                .collect::<Vec<_>>()
        };
        assert!(may_be(&to(53), 30));
        assert!(may_be(&to(33_434), 30));
        assert!(!may_be(&to(5_000), 4));
        let same = vec![datagram(40_000, 33_434); 4];
        assert!(may_be(&same, 4));
        assert!(!may_be(&same, 30));
    }

    #[test]
    fn what_was_not_seen_or_had_hops_left_is_no_probe() {
        let samples: Vec<_> = (0..3).map(|to| datagram(1, 33_434 + to)).collect();
        let seen: Vec<_> = samples.iter().collect();
        let key = |count| ipv4_drops(NODE, 2, "IP_INHDR", "ip_forward", count);
        assert!(are_probes(&key(3), &seen, None));
        assert!(!are_probes(&key(4), &seen, None));
        let mut far = samples.clone();
        far[0].bytes[HOP_LIMIT_AT] = 2;
        assert!(!are_probes(&key(3), &far.iter().collect::<Vec<_>>(), None));
        let elsewhere = ipv4_drops(NODE, 2, "IP_INHDR", "ip_rcv_core", 3);
        assert!(!are_probes(&elsewhere, &seen, None));
    }
}
