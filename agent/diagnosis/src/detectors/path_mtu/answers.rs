//! The ICMP answers to packets that were too long, as far as they died on this node.
//!
//! A router tells the sender by ICMP which length would pass (`icmp_send` in IPv4's forwarding, `icmpv6_send` in IPv6's). The kernel never
//! limits the rate of these answers, so that one that is missing was dropped. Each quotes the packet that it is about.

use std::collections::BTreeMap;

use crate::{
    Window,
    detectors::other_drop::is_refused_by_rule,
    evidence::{DropCount, PacketSample},
    finding::{FindingId, Outcome},
    kernel::{Reason, site},
    packets::{flow::Flow, ip::IpPacket, too_big::TooBig},
};

/// Reasons for which a packet dies before a program or the stack has read it.
const UNREAD: [Reason; 6] = [
    Reason::IP_RPFILTER,
    Reason::IP_INNOROUTES,
    Reason::IP_OUTNOROUTES,
    Reason::TC_INGRESS,
    Reason::TC_EGRESS,
    Reason::XDP,
];

/// An answer that died.
pub(super) struct Answer {
    /// Index of its drop key.
    key: usize,
    /// Drops of that key, where all that were seen are answers; else 0.
    count: u64,
    /// The flow of the packet that was too long.
    about: Flow,
    mtu: u32,
}

/// The answers about some packets.
#[derive(Default)]
pub(super) struct Answers {
    /// The senders to whom they were to go, by the flows that they are about.
    pub(super) about: Vec<Flow>,
    /// The MTU that they tell, bytes, where they agree.
    pub(super) mtu: Option<u32>,
    /// The seen ones.
    pub(super) seen: usize,
    /// All of them, as far as drop keys have nothing else.
    pub(super) died: u64,
    /// The drop key of the first one.
    pub(super) key: Option<usize>,
    /// The findings about what dropped them.
    pub(super) refused_by: Vec<FindingId>,
}

/// Every answer of the window that was seen to die.
pub(super) fn all(window: &Window<'_>) -> Vec<Answer> {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let keys = counts.iter().enumerate();
    let unread = keys.filter(|(index, key)| died_unread(window, *index, key));
    unread
        .flat_map(|(index, key)| of_key(window, index, key))
        .collect()
}

fn of_key(window: &Window<'_>, index: usize, key: &DropCount) -> Vec<Answer> {
    let samples: Vec<&PacketSample> = window.samples_of(index).collect();
    let packets = samples
        .iter()
        .filter_map(|sample| IpPacket::of_sample(sample));
    let answers: Vec<TooBig<'_>> = packets.filter_map(|packet| TooBig::of(&packet)).collect();
    let is_pure = answers.len() == samples.len();
    let count = if is_pure { key.count } else { 0 };
    let answers = answers.iter().map(|answer| Answer {
        key: index,
        count,
        about: Flow::of_packet(&answer.about),
        mtu: answer.mtu,
    });
    answers.collect()
}

fn died_unread(window: &Window<'_>, index: usize, key: &DropCount) -> bool {
    UNREAD.contains(&key.reason)
        || (key.reason.is_unnamed()
            && key
                .location
                .is_of_any(&[&site::IP_RCV_FINISH_CORE, &site::IP_ERROR]))
        || is_refused_by_rule(window, index, key)
}

impl Answers {
    /// The answers about these flows. Only their senders are compared: a rule may see the quoted packet as it was
    /// before its destination was translated.
    pub(super) fn about(all: &[Answer], flows: &[Flow], so_far: &Outcome) -> Self {
        let mut answers = Self::default();
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        for answer in all {
            let about = flows
                .iter()
                .find(|flow| flow.is_of_same_sender(&answer.about));
            let Some(about) = about else {
                continue;
            };
            let agrees = answers.seen == 0 || answers.mtu == Some(answer.mtu);
            answers.mtu = (agrees && answer.mtu > 0).then_some(answer.mtu);
            answers.seen += 1;
            counts.insert(answer.key, answer.count);
            answers.key = answers.key.or(Some(answer.key));
            if !answers.about.contains(about) {
                answers.about.push(about.clone());
            }
            let claims = so_far.claims.iter();
            let mut claims = claims.filter(|claim| claim.drop == answer.key);
            let finding = claims.find_map(|claim| claim.finding.clone());
            if let Some(finding) = finding.filter(|one| !answers.refused_by.contains(one)) {
                answers.refused_by.push(finding);
            }
        }
        answers.died = counts.into_values().fold(0, u64::saturating_add);
        answers
    }
}
