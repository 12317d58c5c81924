//! Places through which nothing gets: what was for one receiver proves an outage.

use super::{
    Tally, harm,
    seen::{Around, is_for_group},
};
use crate::{
    Window,
    evidence::PacketSample,
    finding::{Assessment, Culprit, Harm},
    packets::{
        flow::Flow,
        frame::Frame,
        ip::{IpPacket, UDP},
    },
};

/// Fewer tries do not tell a device that nothing gets through from one that is just coming up or going down.
const TRIES: u64 = 3;
/// As many flows as a finding names.
const FLOWS: usize = 4;
/// UDP ports of VXLAN (Linux's own as well) and GENEVE.
pub(crate) const TUNNEL_PORTS: [u16; 3] = [4789, 8472, 6081];
/// The headers of UDP and VXLAN, behind which the inner frame begins.
const VXLAN_HEADERS: usize = 16;

/// Nothing gets through the device: what was for one receiver proves an outage.
pub(crate) fn unreachable(
    window: &Window<'_>,
    tally: &Tally,
    around: Around<'_>,
    culprit: Culprit,
) -> Assessment {
    let single = tally.samples(window).filter(|sample| {
        let sample = inner(sample);
        is_for_group(&sample, around) == Some(false)
    });
    match flows_of(single.map(inner)) {
        Some(flows) if tally.count >= TRIES => Assessment::of(Harm::Outage)
            .by(culprit)
            .with_packets(tally.count)
            .with_flows(flows),
        _ => unknown(window, tally).by(culprit),
    }
}

/// Wanted and unwanted packets end there, and nothing tells which these were.
pub(crate) fn unknown(window: &Window<'_>, tally: &Tally) -> Assessment {
    Assessment::of(Harm::Unknown)
        .with_packets(tally.count)
        .with_flows(harm::flows(window, tally))
}

/// The flows of these samples; frames without one count as well. `None` without a sample.
fn flows_of(samples: impl Iterator<Item = PacketSample>) -> Option<Vec<String>> {
    let mut samples = samples.peekable();
    samples.peek()?;
    let mut flows: Vec<String> = Vec::new();
    for sample in samples {
        let flow = Flow::of_sample(&sample).map(|flow| flow.to_string());
        if let Some(flow) = flow.filter(|flow| !flows.contains(flow)) {
            flows.push(flow);
        }
    }
    flows.truncate(FLOWS);
    Some(flows)
}

/// The frame that a received VXLAN packet carries; any other packet itself.
pub(crate) fn inner(sample: &PacketSample) -> PacketSample {
    let carried = || {
        let packet = IpPacket::of_sample(sample)?;
        let port = packet.transport()?.destination_port;
        if packet.protocol != UDP || !TUNNEL_PORTS.contains(&port) {
            return None;
        }
        let bytes = packet.transport_bytes.get(VXLAN_HEADERS..)?;
        Frame::decode(bytes)?;
        Some(PacketSample {
            bytes: bytes.to_vec(),
            has_link_header: true,
            network_offset: None,
            packet_type: 0,
            ..sample.clone()
        })
    };
    carried().unwrap_or_else(|| sample.clone())
}
