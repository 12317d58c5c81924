//! Segments that connection tracking calls invalid, and that a rule drops for it.

use super::{
    books::Books,
    fault::{Fault, Kind},
};
use crate::{
    Window,
    detectors::kit::{Tally, harm},
    evidence::{DropCount, Namespace, PacketSample},
    finding::{Assessment, Confidence, Culprit, Decision, Harm},
    packets::ip::{IpPacket, TCP},
};

const SYN: u8 = 2;
const ACK: u8 = 16;

/// The fault, if a rule dropped about as many segments within connections as were invalid.
///
/// A rule that drops invalid packets cannot be told by its text, which is not read. Packets that open a connection are
/// never invalid, so that keys of which one was sampled belong to another rule. Where the flows are not proved dead, they
/// are mostly late segments of closed connections, which nobody misses and the rule is there for.
pub(super) fn fault<'a>(
    window: &Window<'_>,
    namespace: &'a Namespace,
    books: Books,
    keys: &[(usize, &DropCount)],
) -> Option<Fault<'a>> {
    let is_within_connections = |index: usize| {
        let mut samples = window.samples_of(index).peekable();
        samples.peek().is_some() && samples.all(is_within_connection)
    };
    let dropped: Vec<_> = keys
        .iter()
        .copied()
        .filter(|(index, _)| is_within_connections(*index))
        .collect();
    let at_least = dropped.iter().map(|(_, key)| key.at_least).sum::<u64>();
    let tally: Tally = dropped.into_iter().collect();
    if tally.count == 0 || books.invalid < at_least - at_least / 10 {
        return None;
    }
    let is_exact = (at_least..=tally.count).contains(&books.invalid);
    let assessment = harm::outage(window, &tally, Culprit::Here).unwrap_or_else(|| {
        Assessment::decided(Decision::Rule, Harm::Unknown, tally.count)
            .with_flows(harm::flows(window, &tally))
    });
    Some(Fault {
        kind: Kind::InvalidDropped,
        namespace,
        books,
        tally,
        assessment,
        confidence: match is_exact {
            true => Confidence::Certain,
            false => Confidence::Likely,
        },
    })
}

/// A TCP segment that opens no connection.
fn is_within_connection(sample: &PacketSample) -> bool {
    let packet = IpPacket::of_sample(sample);
    let segment = packet.filter(|packet| packet.protocol == TCP);
    let ports = segment.and_then(|packet| packet.transport());
    ports.is_some_and(|ports| ports.tcp_flags & (SYN | ACK) != SYN)
}
