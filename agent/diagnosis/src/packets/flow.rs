//! Which conversation a sampled packet belongs to, in words.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use super::{ip::IpPacket, ip_protocols};
use crate::evidence::PacketSample;

/// Sender, receiver and transport of a packet, `10.0.0.1:40000 -> 10.0.0.2:53 UDP`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    source: (IpAddr, Option<u16>),
    destination: (IpAddr, Option<u16>),
    protocol: u8,
}

impl Flow {
    /// The flow of a sampled packet; `None` when it is no IP packet or was cut before its addresses.
    pub(crate) fn of_sample(sample: &PacketSample) -> Option<Self> {
        IpPacket::of_sample(sample).map(|packet| Self::of_packet(&packet))
    }

    /// The flow of a packet.
    pub(crate) fn of_packet(packet: &IpPacket<'_>) -> Self {
        let transport = packet.transport();
        Self {
            source: (packet.source, transport.map(|ports| ports.source_port)),
            destination: (
                packet.final_destination,
                transport.map(|ports| ports.destination_port),
            ),
            protocol: packet.protocol,
        }
    }

    /// Its protocol is one of these.
    pub(crate) fn is_of(&self, protocols: &[u8]) -> bool {
        protocols.contains(&self.protocol)
    }

    /// Its sender.
    pub(crate) fn sender(&self) -> IpAddr {
        self.source.0
    }

    /// Both have the same sender and transport. A translation of destinations changes the rest.
    pub(crate) fn is_of_same_sender(&self, other: &Self) -> bool {
        self.source == other.source && self.protocol == other.protocol
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |(address, port): (IpAddr, Option<u16>)| match (address, port) {
            (address, None) => address.to_string(),
            (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
            (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
        };
        write!(
            formatter,
            "{} -> {} ",
            end(self.source),
            end(self.destination)
        )?;
        formatter.write_str(&ip_protocols::name(self.protocol))
    }
}

/// The flows of these samples, the most frequent first, at most `limit`.
pub(crate) fn frequent_flows<'a>(
    samples: impl Iterator<Item = &'a PacketSample>,
    limit: usize,
) -> Vec<Flow> {
    let mut seen: BTreeMap<Flow, usize> = BTreeMap::new();
    for flow in samples.filter_map(Flow::of_sample) {
        *seen.entry(flow).or_default() += 1;
    }
    let mut flows: Vec<(Flow, usize)> = seen.into_iter().collect();
    flows.sort_by(|(a, often), (b, seldom)| seldom.cmp(often).then_with(|| a.cmp(b)));
    flows
        .into_iter()
        .take(limit)
        .map(|(flow, _)| flow)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Flow, frequent_flows};
    use crate::evidence::PacketSample;

    fn sample(bytes: &[u8]) -> PacketSample {
        PacketSample {
            bytes: bytes.to_vec(),
            ..PacketSample::default()
        }
    }

    #[test]
    fn a_udp_packet_is_named_by_both_ends() {
        let packet = [
            0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0, 53,
            0, 8, 0, 0,
        ];
        let flow = Flow::of_sample(&sample(&packet)).map(|flow| flow.to_string());
        assert_eq!(flow.as_deref(), Some("10.0.0.1:40000 -> 10.0.0.2:53 UDP"));
    }

    #[test]
    fn a_cut_header_leaves_out_what_it_lost() {
        let packet = [
            0x45, 0, 0, 28, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        let flow = Flow::of_sample(&sample(&packet)).map(|flow| flow.to_string());
        assert_eq!(flow.as_deref(), Some("10.0.0.1 -> 10.0.0.2 TCP"));
        assert_eq!(Flow::of_sample(&sample(&packet[..12])), None);
    }

    #[test]
    fn the_most_frequent_flow_comes_first() {
        let packet = |last: u8| {
            sample(&[
                0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, last,
            ])
        };
        let samples = [packet(2), packet(3), packet(3), packet(4)];
        let flows: Vec<String> = frequent_flows(samples.iter(), 2)
            .iter()
            .map(Flow::to_string)
            .collect();
        assert_eq!(
            flows,
            ["10.0.0.1 -> 10.0.0.3 ICMP", "10.0.0.1 -> 10.0.0.2 ICMP"]
        );
    }
}
