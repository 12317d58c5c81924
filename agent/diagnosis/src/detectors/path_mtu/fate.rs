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
/// An answer is at its sender by then, wherever that is.
const LONGER_THAN_A_ROUND_TRIP_MS: u64 = 1_000;
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
    /// As many answers died here as packets, so that no sender was told.
    pub(super) are_none_told: bool,
}

impl Kind {
    pub(super) fn cause(self) -> &'static Cause {
        match self {
            Self::Dead | Self::Stubborn | Self::Unheard => &BLACK_HOLE,
            Self::Told | Self::Open => &TOO_BIG,
        }
    }
}

/// The fate of the flows of these packets. `are_told`: all senders are here and received as many answers. A change here
/// ends each: a smaller MTU of the sender's device, or smaller segments.
pub(super) fn of(
    window: &Window<'_>,
    tally: &Tally,
    samples: &[&PacketSample],
    answers: &Answers,
    are_told: bool,
) -> Fate {
    let seen = Seen {
        are_told: are_told && !tally.lacks_samples(window),
        none_told: !answers.about.is_empty() && answers.died >= tally.count,
        sent_again_late: sent_again_late(window, tally) >= harm::TRIES as u64,
    };
    let (kind, flows) = kind(samples, answers, &seen);
    let harm = match kind {
        Kind::Dead => Harm::Outage,
        Kind::Stubborn if seen.none_told => Harm::Outage,
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
    let is_proved = seen.none_told || [Kind::Dead, Kind::Told].contains(&kind);
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
        are_none_told: seen.none_told,
    }
}

/// The facts about all packets of one way.
struct Seen {
    /// All senders are here, and received as many answers as packets died.
    are_told: bool,
    /// As many answers died here as packets.
    none_told: bool,
    /// Senders here sent segments again by a timeout. Who hears an answer does so at once.
    sent_again_late: bool,
}

/// Segments that died here and were sent again after 200 ms or more.
fn sent_again_late(window: &Window<'_>, tally: &Tally) -> u64 {
    let rows = tally
        .drops(window)
        .flat_map(|key| window.retransmitted_after(&key.place()));
    rows.map(|row| row.late).fold(0, u64::saturating_add)
}

fn kind(samples: &[&PacketSample], answers: &Answers, seen: &Seen) -> (Kind, Vec<Flow>) {
    let tries = Tries::of(samples);
    let is_unheard = |flow: &Flow| answers.about.contains(flow);
    let dead = tries.flows(|flow, tries| {
        let is_again = tries.same_data >= UNHEARD_TRIES || seen.none_told && tries.segments >= 2;
        tries.same_data >= harm::TRIES || is_unheard(flow) && is_again
    });
    if !dead.is_empty() {
        return (Kind::Dead, dead);
    }
    let stubborn = tries.flows(|flow, tries| {
        let is_wanted = tries.goes_on && !flow.is_of(&[ICMP, ICMPV6]);
        let is_untold = seen.none_told && is_unheard(flow);
        is_wanted || is_untold && tries.same_length >= DATAGRAMS
    });
    if !stubborn.is_empty() {
        return (Kind::Stubborn, stubborn);
    }
    let unheard = tries.flows(|flow, tries| {
        seen.none_told && is_unheard(flow) || tries.same_data >= UNHEARD_TRIES
    });
    if !unheard.is_empty() || seen.sent_again_late {
        return (Kind::Unheard, unheard);
    }
    let is_all_tcp = !samples.is_empty() && tries.0.keys().all(|flow| flow.is_of(&[TCP]));
    match seen.are_told && is_all_tcp {
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
    /// Most of them with the same first byte. A super-frame has the bytes of all segments that it stands for.
    same_data: usize,
    /// Most packets of another protocol than TCP with the same length.
    same_length: usize,
    /// Packets of one length went on for longer than an answer takes to their sender.
    goes_on: bool,
}

/// Packets of one length.
struct OfLength {
    packets: usize,
    first_ms: u64,
    last_ms: u64,
}

impl OfLength {
    fn goes_on(&self) -> bool {
        let lasted = self.last_ms.saturating_sub(self.first_ms);
        self.packets >= DATAGRAMS && lasted >= LONGER_THAN_A_ROUND_TRIP_MS
    }
}

impl Tries {
    fn of(samples: &[&PacketSample]) -> Self {
        let mut of_flows: BTreeMap<Flow, (Vec<Data>, Vec<LengthAndTime>)> = BTreeMap::new();
        for sample in samples {
            let Some(packet) = IpPacket::of_sample(sample) else {
                continue;
            };
            let flow = Flow::of_packet(&packet);
            let is_tcp = flow.is_of(&[TCP]);
            let (data, lengths) = of_flows.entry(flow).or_default();
            match packet.segment().filter(|segment| segment.has_payload) {
                Some(segment) => data.push(Data {
                    first: segment.sequence,
                    length: segment.length.unwrap_or(1),
                }),
                None if !is_tcp => lengths.push((sample.length, sample.at_ms)),
                None => {}
            }
        }
        let tried = of_flows.into_iter().map(|(flow, (data, lengths))| {
            let lengths = by_length(&lengths);
            let packets = lengths.values().map(|one| one.packets);
            let tried = Tried {
                segments: data.len(),
                same_data: most(&data, Data::has_first_of),
                same_length: packets.max().unwrap_or_default(),
                goes_on: lengths.values().any(OfLength::goes_on),
            };
            (flow, tried)
        });
        Self(tried.collect())
    }

    fn flows(&self, is_meant: impl Fn(&Flow, &Tried) -> bool) -> Vec<Flow> {
        let flows = self.0.iter();
        let meant = flows.filter(|(flow, tried)| is_meant(flow, tried));
        meant.map(|(flow, _)| flow.clone()).collect()
    }
}

/// Length of a packet, bytes, and the time at which it died, milliseconds after the start of the window.
type LengthAndTime = (u32, u64);

/// The packets of each length.
fn by_length(packets: &[LengthAndTime]) -> BTreeMap<u32, OfLength> {
    let mut lengths: BTreeMap<u32, OfLength> = BTreeMap::new();
    for (length, at_ms) in packets {
        let one = lengths.entry(*length).or_insert(OfLength {
            packets: 0,
            first_ms: *at_ms,
            last_ms: *at_ms,
        });
        one.packets += 1;
        one.first_ms = one.first_ms.min(*at_ms);
        one.last_ms = one.last_ms.max(*at_ms);
    }
    lengths
}

/// The bytes that a segment carries.
struct Data {
    first: u32,
    length: u32,
}

impl Data {
    /// The other's first byte is among these.
    fn has_first_of(&self, other: &Self) -> bool {
        other.first.wrapping_sub(self.first) < self.length
    }
}

/// The most that belong together with some of them.
fn most<T>(all: &[T], is_alike: impl Fn(&T, &T) -> bool) -> usize {
    let alike = |one: &T| all.iter().filter(|other| is_alike(other, one)).count();
    all.iter().map(alike).max().unwrap_or_default()
}
