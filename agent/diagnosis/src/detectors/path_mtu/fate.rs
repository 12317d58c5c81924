//! The fate of flows whose packets were too long.

use std::collections::BTreeMap;

use super::answers::Answers;
use crate::{
    Window,
    causes::{BLACK_HOLE, Cause, TOO_BIG},
    detectors::kit::{Tally, harm},
    evidence::PacketSample,
    finding::{Assessment, Confidence, Culprit, Harm},
    packets::{
        flow::Flow,
        ip::{ICMP, ICMPV6, IpPacket, TCP},
    },
};

/// Datagrams of one length by which a sender shows that it does not shorten them. A program that searches for the MTU by
/// probes sends no more than three of each length (RFC 9000, MAX_PROBES of RFC 8899).
const DATAGRAMS: usize = 4;
/// Tries of a segment by which a sender shows that it has heard of nothing: who hears sends shorter ones at once.
const UNHEARD_TRIES: usize = 2;
/// As many flows as a finding names.
const FLOWS: usize = 4;

/// The fate of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connections that send the same segment again and again, or whose answers died here.
    Dead,
    /// Datagrams of one length that are sent again and again.
    Stubborn,
    /// The sender did not learn of it when it was to, and more was not seen.
    Unheard,
    /// The senders were told, and nothing was sent again.
    Told,
    /// Too little was seen.
    Open,
}

/// The judgement.
pub(super) struct Fate {
    pub(super) kind: Kind,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl Kind {
    pub(super) fn cause(self) -> &'static Cause {
        match self {
            Self::Dead | Self::Stubborn | Self::Unheard => &BLACK_HOLE,
            Self::Told | Self::Open => &TOO_BIG,
        }
    }
}

/// The fate of the flows of these packets. `are_told`: all senders are here and received as many answers. A change here ends each: a smaller MTU of the sender's device, or smaller
/// segments.
pub(super) fn of(
    window: &Window<'_>,
    tally: &Tally,
    samples: &[&PacketSample],
    answers: &Answers,
    are_told: bool,
) -> Fate {
    let (kind, flows) = kind(samples, answers, are_told && !tally.lacks_samples(window));
    let harm = match kind {
        Kind::Dead => Harm::Outage,
        Kind::Stubborn if !answers.about.is_empty() => Harm::Outage,
        Kind::Stubborn | Kind::Unheard => Harm::Loss,
        Kind::Told => Harm::None,
        Kind::Open => Harm::Unknown,
    };
    let mut shown: Vec<String> = flows.iter().map(Flow::to_string).collect();
    if shown.is_empty() {
        shown = harm::flows(window, tally);
    }
    shown.truncate(FLOWS);
    let judged = Assessment {
        are_flows_dead: kind == Kind::Dead,
        ..Assessment::of(harm)
            .by(Culprit::Here)
            .with_packets(tally.count)
            .with_flows(shown)
    };
    let is_proved = !answers.about.is_empty() || [Kind::Dead, Kind::Told].contains(&kind);
    Fate {
        kind,
        assessment: match harm {
            Harm::Outage | Harm::None => judged,
            _ => harm::unless_dead(window, tally, judged),
        },
        confidence: match is_proved {
            true => Confidence::Certain,
            false => Confidence::Likely,
        },
    }
}

fn kind(samples: &[&PacketSample], answers: &Answers, are_told: bool) -> (Kind, Vec<Flow>) {
    let tries = Tries::of(samples);
    let is_unheard = |flow: &Flow| answers.about.contains(flow);
    let dead = tries.flows(|flow, tries| {
        tries.same_segment >= harm::TRIES || (is_unheard(flow) && tries.segments >= UNHEARD_TRIES)
    });
    if !dead.is_empty() {
        return (Kind::Dead, dead);
    }
    let stubborn = tries.flows(|flow, tries| {
        tries.same_length >= DATAGRAMS && (is_unheard(flow) || !flow.is_of(&[ICMP, ICMPV6]))
    });
    if !stubborn.is_empty() {
        return (Kind::Stubborn, stubborn);
    }
    let unheard =
        tries.flows(|flow, tries| is_unheard(flow) || tries.same_segment >= UNHEARD_TRIES);
    if !unheard.is_empty() {
        return (Kind::Unheard, unheard);
    }
    let is_all_tcp = !samples.is_empty() && tries.0.keys().all(|flow| flow.is_of(&[TCP]));
    match are_told && is_all_tcp {
        true => (Kind::Told, Vec::new()),
        false => (Kind::Open, Vec::new()),
    }
}

/// The packets of each flow.
struct Tries(BTreeMap<Flow, Tried>);

/// The packets of a flow.
#[derive(Default)]
struct Tried {
    /// Segments with data.
    segments: usize,
    /// Most of them with the same data.
    same_segment: usize,
    /// Most packets of another protocol than TCP with the same length.
    same_length: usize,
}

impl Tries {
    fn of(samples: &[&PacketSample]) -> Self {
        let mut counts: BTreeMap<(Flow, bool, u32), usize> = BTreeMap::new();
        for sample in samples {
            let Some(packet) = IpPacket::of_sample(sample) else {
                continue;
            };
            let flow = Flow::of_packet(&packet);
            let segment = packet.segment().filter(|segment| segment.has_payload);
            let key = match segment {
                Some(segment) => (flow, true, segment.sequence),
                None => (flow, false, sample.length),
            };
            *counts.entry(key).or_default() += 1;
        }
        let mut tries: BTreeMap<Flow, Tried> = BTreeMap::new();
        for ((flow, is_segment, _), count) in counts {
            let is_tcp = flow.is_of(&[TCP]);
            let tried = tries.entry(flow).or_default();
            if is_segment {
                tried.segments += count;
                tried.same_segment = tried.same_segment.max(count);
            } else if !is_tcp {
                tried.same_length = tried.same_length.max(count);
            }
        }
        Self(tries)
    }

    fn flows(&self, is_meant: impl Fn(&Flow, &Tried) -> bool) -> Vec<Flow> {
        let flows = self.0.iter();
        let meant = flows.filter(|(flow, tried)| is_meant(flow, tried));
        meant.map(|(flow, _)| flow.clone()).collect()
    }
}
