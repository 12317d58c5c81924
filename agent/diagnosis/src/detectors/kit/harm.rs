//! The harm that drops prove, and the traffic beside them by which it is judged.

use std::collections::BTreeMap;

use super::Tally;
use crate::{
    Window,
    evidence::{Link, LinkKind, Namespace, PacketSample},
    finding::{Assessment, Culprit, Harm},
    packets::{
        flow::{Flow, frequent_flows},
        ip::IpPacket,
    },
};

/// As many flows as a finding names.
const FLOWS: usize = 4;
/// The same segment dropped so often proves that nothing of its flow gets through.
pub(crate) const TRIES: usize = 3;

/// The flows of the sampled packets, the most frequent first.
pub(crate) fn flows(window: &Window<'_>, tally: &Tally) -> Vec<String> {
    flows_of_samples(tally.samples(window))
}

/// The flows of these samples, the most frequent first.
pub(crate) fn flows_of_samples<'a>(samples: impl Iterator<Item = &'a PacketSample>) -> Vec<String> {
    let flows = frequent_flows(samples, FLOWS);
    flows.iter().map(Flow::to_string).collect()
}

/// An outage of the flows that the samples prove dead; `None` where they prove none.
pub(crate) fn outage(window: &Window<'_>, tally: &Tally, culprit: Culprit) -> Option<Assessment> {
    let dead = dead_flows(tally.samples(window));
    let outage = Assessment::of(Harm::Outage)
        .by(culprit)
        .with_packets(tally.count);
    (!dead.is_empty()).then(|| Assessment {
        are_flows_dead: true,
        ..outage.with_flows(dead)
    })
}

/// The flows of which the same segment died three times: TCP sends a segment again only while nothing answers it.
pub(crate) fn dead_flows<'a>(samples: impl Iterator<Item = &'a PacketSample>) -> Vec<String> {
    let dead = tries(samples).into_iter();
    let dead = dead.filter(|(_, tries)| *tries >= TRIES);
    let mut flows: Vec<String> = dead.map(|((flow, _), _)| flow.to_string()).collect();
    flows.dedup();
    flows.truncate(FLOWS);
    flows
}

/// The number of times that each segment died. A FIN, a RST or a bare ACK proves nothing.
fn tries<'a>(samples: impl Iterator<Item = &'a PacketSample>) -> BTreeMap<(Flow, u32), usize> {
    let mut tries = BTreeMap::new();
    for sample in samples {
        let segment = IpPacket::of_sample(sample).and_then(|packet| packet.segment());
        let segment = segment.filter(|segment| segment.is_syn || segment.has_payload);
        if let Some((segment, flow)) = segment.zip(Flow::of_sample(sample)) {
            *tries.entry((flow, segment.sequence)).or_default() += 1;
        }
    }
    tries
}

/// A segment was seen to die once less than proves its flow dead, and packets were not seen of which one may be the
/// last try.
fn may_be_last_try(window: &Window<'_>, tally: &Tally) -> bool {
    let dropped = tally.drops(window).map(|key| key.count);
    let dropped = dropped.fold(0, u64::saturating_add);
    let seen = tally.samples(window).count() as u64;
    dropped > seen
        && tries(tally.samples(window))
            .values()
            .any(|tries| *tries + 1 == TRIES)
}

/// Wanted packets that died: an outage where the samples prove one, else loss by the share of what was carried.
pub(crate) fn loss(
    window: &Window<'_>,
    tally: &Tally,
    culprit: Culprit,
    carried: Option<u64>,
) -> Assessment {
    let samples: Vec<&PacketSample> = tally.samples(window).collect();
    let loss = loss_of(&samples, tally.count, culprit, carried);
    unless_dead(window, tally, loss)
}

/// The same judgement; where too few of the packets were seen to tell whether a flow died, no less urgent than that
/// outage would be.
pub(crate) fn unless_dead(window: &Window<'_>, tally: &Tally, loss: Assessment) -> Assessment {
    match tally.lacks_samples(window) {
        true => as_urgent_as_outage(loss),
        false => unless_last_try(window, tally, loss),
    }
}

/// The same only for a flow that was seen to try again.
pub(crate) fn unless_last_try(
    window: &Window<'_>,
    tally: &Tally,
    judged: Assessment,
) -> Assessment {
    match may_be_last_try(window, tally) {
        true => as_urgent_as_outage(judged),
        false => judged,
    }
}

fn as_urgent_as_outage(judged: Assessment) -> Assessment {
    let outage = Assessment::of(Harm::Outage).by(judged.culprit);
    judged.no_less_than(outage.severity())
}

/// The same for these samples of the lost packets. An outage whose culprit is not here leaves a loss that is critical
/// by its share as it is.
pub(crate) fn loss_of(
    samples: &[&PacketSample],
    lost: u64,
    culprit: Culprit,
    carried: Option<u64>,
) -> Assessment {
    let loss = Assessment::loss(lost, carried).by(culprit);
    let dead = dead_flows(samples.iter().copied());
    if dead.is_empty() {
        let flows = frequent_flows(samples.iter().copied(), FLOWS);
        return loss.with_flows(flows.iter().map(Flow::to_string).collect());
    }
    let outage = Assessment::of(Harm::Outage).by(culprit).with_packets(lost);
    let judged = if outage.severity() < loss.severity() {
        loss
    } else {
        outage
    };
    judged.with_flows(dead)
}

/// The device is a pod's, a guest's, or the node's end of a pod's.
pub(crate) fn is_of_pod_or_guest(
    window: &Window<'_>,
    namespace: &Namespace,
    link: Option<&Link>,
) -> bool {
    let Some(link) = link else {
        return namespace.pod.is_some();
    };
    let is_guests = matches!(
        link.kind,
        Some(LinkKind::Tun | LinkKind::MacVtap | LinkKind::IpVtap)
    );
    let peer = window.topology.veth_peer(link);
    let peer = peer.and_then(|peer| window.namespace(peer.netns));
    namespace.pod.is_some() || is_guests || peer.is_some_and(|peer| peer.pod.is_some())
}

/// The packets that the link received within the window beside `lost` ones, which its driver has counted as well.
pub(crate) fn received_beside(link: &Link, lost: u64) -> u64 {
    link.increase(|stats| stats.rx_packets).saturating_sub(lost)
}

/// The packets that the link sent within the window. Those that it refused are not among them.
pub(crate) fn sent(link: &Link) -> u64 {
    link.increase(|stats| stats.tx_packets)
}

/// TCP segments that the namespace received beside `lost` ones: `tcp_v4_rcv` counts each before it looks at it.
pub(crate) fn tcp_received_beside(namespace: &Namespace, lost: u64) -> Option<u64> {
    Some(namespace.increase("Tcp.InSegs")?.saturating_sub(lost))
}

/// UDP datagrams of both IP versions that programs of the namespace received.
pub(crate) fn udp_received(namespace: &Namespace) -> Option<u64> {
    let v4 = namespace.increase("Udp.InDatagrams")?;
    let v6 = namespace.increase("Udp6.InDatagrams").unwrap_or_default();
    Some(v4.saturating_add(v6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Severity,
        testing::{NODE, drops_of, ipv4_drops, window},
    };

    const SYN: u8 = 2;
    const ACK: u8 = 16;

    /// A TCP segment of 10.0.0.1:40000 to 10.0.0.2:80.
    fn segment(sequence: u32, flags: u8, payload: &[u8]) -> PacketSample {
        let length = u8::try_from(40 + payload.len()).expect("short");
        let mut bytes = vec![
            0x45, 0, 0, length, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0,
            80,
        ];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        PacketSample {
            bytes,
            ..PacketSample::default()
        }
    }

    fn dead(samples: &[PacketSample]) -> Vec<String> {
        dead_flows(samples.iter())
    }

    /// 100 dropped packets of a flow that died, judged with this culprit.
    fn judged(culprit: Culprit, carried: Option<u64>) -> (Harm, Severity) {
        let keys = vec![ipv4_drops(NODE, 2, "TCP_CSUM", "tcp_v4_rcv", 100)];
        let mut window = window(Vec::new(), keys);
        drops_of(&mut window).samples = vec![segment(7, ACK, b"x"); 3];
        let window = Window::of(&window);
        let counts = &window.drops.value().expect("drops").counts;
        let tally = counts.iter().enumerate().collect();
        let judged = loss(&window, &tally, culprit, carried);
        assert_eq!(judged.flows, ["10.0.0.1:40000 -> 10.0.0.2:80 TCP"]);
        (judged.harm, judged.severity())
    }

    #[test]
    fn a_dead_flow_never_makes_a_loss_less_urgent() {
        let outage = (Harm::Outage, Severity::Critical);
        assert_eq!(judged(Culprit::Here, Some(100)), outage);
        let by_share = (Harm::Loss, Severity::Critical);
        assert_eq!(judged(Culprit::Unknown, Some(100)), by_share);
        let elsewhere = (Harm::Outage, Severity::Warning);
        assert_eq!(judged(Culprit::Unknown, Some(1_000_000)), elsewhere);
        assert_eq!(judged(Culprit::Unknown, None), elsewhere);
    }

    #[test]
    fn loss_of_which_nothing_was_seen_is_as_urgent_as_a_dead_flow() {
        let keys = vec![ipv4_drops(NODE, 2, "TCP_CSUM", "tcp_v4_rcv", 100)];
        let mut window = window(Vec::new(), keys);
        let judged = |window: &crate::evidence::EvidenceWindow, culprit| {
            let window = Window::of(window);
            let counts = &window.drops.value().expect("drops").counts;
            let tally = counts.iter().enumerate().collect();
            let judged = loss(&window, &tally, culprit, Some(1_000_000));
            (judged.harm, judged.severity())
        };
        drops_of(&mut window).samples.clear();
        let unseen = judged(&window, Culprit::Here);
        assert_eq!(unseen, (Harm::Loss, Severity::Critical));
        drops_of(&mut window).samples = (0..3).map(|n| segment(n, ACK, b"x")).collect();
        let unseen = judged(&window, Culprit::Unknown);
        assert_eq!(unseen, (Harm::Loss, Severity::Warning));
        drops_of(&mut window).samples = (0..4).map(|n| segment(n, ACK, b"x")).collect();
        let seen = judged(&window, Culprit::Here);
        assert_eq!(seen, (Harm::Loss, Severity::Info));
    }

    #[test]
    fn three_flows_of_which_half_of_the_packets_were_seen_may_be_dead() {
        let keys = vec![ipv4_drops(NODE, 2, "IP_RPFILTER", "ip_rcv_finish_core", 9)];
        let mut window = window(Vec::new(), keys);
        // Each of three clients sends its SYN three times.
        let all: Vec<_> = (0..9).map(|number| segment(number % 3, SYN, b"")).collect();
        let mut judged = |samples: Vec<PacketSample>| {
            drops_of(&mut window).samples = samples;
            let window = Window::of(&window);
            let counts = &window.drops.value().expect("drops").counts;
            let tally = counts.iter().enumerate().collect();
            let unknown = Assessment::of(Harm::Unknown)
                .by(Culprit::Here)
                .with_packets(9);
            unless_dead(&window, &tally, unknown).severity()
        };
        let half = |from: usize| all.iter().skip(from).step_by(2).cloned().collect();
        assert_eq!(judged(half(0)), Severity::Critical);
        assert_eq!(judged(half(1)), Severity::Critical);
        // Other segments that died once prove nothing, however many were not seen.
        let others = (0..5).map(|number| segment(number, ACK, b"x")).collect();
        assert_eq!(judged(others), Severity::Info);
    }

    #[test]
    fn a_segment_that_died_three_times_proves_a_dead_flow() {
        let flow = ["10.0.0.1:40000 -> 10.0.0.2:80 TCP"];
        assert_eq!(dead(&vec![segment(7, ACK, b"x"); 3]), flow);
        assert_eq!(dead(&vec![segment(7, SYN, b""); 3]), flow);
        assert!(dead(&vec![segment(7, ACK, b"x"); 2]).is_empty());
    }

    #[test]
    fn bare_acks_and_different_segments_prove_nothing() {
        assert!(dead(&vec![segment(7, ACK, b""); 5]).is_empty());
        assert!(dead(&vec![segment(7, ACK | 1, b""); 5]).is_empty());
        assert!(dead(&vec![segment(7, ACK | 4, b""); 5]).is_empty());
        let different: Vec<_> = (0..5).map(|number| segment(number, ACK, b"x")).collect();
        assert!(dead(&different).is_empty());
    }
}
