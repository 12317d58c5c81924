//! The ICMP answers to packets that were too long, as far as they died on this node.
//!
//! A router tells the sender by ICMP which length would pass (`icmp_send` in IPv4's forwarding, `icmpv6_send` in IPv6's). The kernel never
//! limits the rate of these answers, so that one that is missing was dropped. Each quotes the packet that it is about.

use crate::{
    Window,
    detectors::other_drop::is_refused_by_rule,
    evidence::DropCount,
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
    /// The drop key of the first one.
    pub(super) key: Option<usize>,
    /// The findings about what dropped them.
    pub(super) refused_by: Vec<FindingId>,
}

/// Every answer of the window that was seen to die.
pub(super) fn all(window: &Window<'_>) -> Vec<Answer> {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let unread = counts
        .iter()
        .enumerate()
        .filter(|(index, key)| died_unread(window, *index, key));
    let seen = unread.flat_map(|(key, _)| window.samples_of(key).map(move |sample| (key, sample)));
    seen.filter_map(|(key, sample)| {
        let answer = TooBig::of(&IpPacket::of_sample(sample)?)?;
        Some(Answer {
            key,
            about: Flow::of_packet(&answer.about),
            mtu: answer.mtu,
        })
    })
    .collect()
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
        answers
    }
}
