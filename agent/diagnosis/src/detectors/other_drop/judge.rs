//! The drops that no other check has explained, folded by cause and place.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use super::{
    class::Class,
    group::{Drops, Group},
    rows,
    table::{Row, Surroundings},
};
use crate::{
    Window,
    detectors::{
        checksum_drop::may_have_lost_checksum,
        kit::{self, Tally, unclaimed, unreachable},
    },
    evidence::{DropCount, Namespace, NetnsId, PacketSample},
    finding::{Assessment, Culprit, Decision, Finding, Harm, Outcome, Severity, Verdict},
    kernel::{Reason, site},
    packets::{ip::IpPacket, protocols::is_group_only},
};

/// As many harmless or small findings are listed one by one; the rest is folded into one.
const INFO_LISTED: usize = 12;

/// Packets a minute from which freed packets that nobody misses are worth a line: 100 a second are seen by anybody who
/// counts drops, and an idle node stays far below.
const NOT_LOSS_PER_MINUTE: u64 = 6_000;

/// A group with the judgement on it.
pub(super) struct Judged<'a> {
    pub(super) group: Group<'a>,
    pub(super) assessment: Assessment,
    /// The namespaces whose end is the cause: the packets were for their addresses.
    pub(super) ended: Vec<&'a Namespace>,
}

/// Drops that belong to no known device or namespace of this node.
#[derive(Default)]
pub(super) struct Nowhere {
    pub(super) tally: Tally,
    /// Those of which no sample shows that both ends are elsewhere: another node may share this kernel.
    ours: Tally,
    /// Those of them that a queue, a buffer or a broken header cost somebody: the place does not matter to that.
    lost: Tally,
    /// The decision that all of them are; `None` where some are none.
    decision: Option<Decision>,
    /// As [`Drops::at_least`].
    at_least: Severity,
}

/// Everything that is left for this check.
#[derive(Default)]
pub(super) struct Leftovers<'a> {
    /// Loss, decisions and what the table does not know, with a finding each.
    pub(super) listed: Vec<Judged<'a>>,
    /// The groups that are too many to list.
    pub(super) folded: Vec<Judged<'a>>,
    pub(super) nowhere: Nowhere,
    /// Drops of the whole node that nobody misses.
    pub(super) unmissed: Tally,
}

impl Judged<'_> {
    /// The verdict of the ledger on these drops.
    pub(super) fn verdict(&self) -> Verdict {
        self.assessment.verdict()
    }

    /// The order of the list: what may hurt comes before what was meant so.
    fn weight(&self) -> (bool, Harm, u64) {
        let assessment = &self.assessment;
        let count = self.group.drops.tally.count;
        (!assessment.is_decision(), assessment.harm, count)
    }
}

/// The decision that all of these are, if they are decisions.
pub(super) fn common_decision(judged: &[Judged<'_>]) -> Option<Decision> {
    let mut decisions = judged.iter().map(|one| one.assessment.decision);
    let first = decisions.next().flatten()?;
    decisions.try_fold(first, |all, one| Some(all.and(one?)))
}

impl Nowhere {
    fn add(
        &mut self,
        window: &Window<'_>,
        index: usize,
        key: &DropCount,
        row: Option<&'static Row>,
    ) {
        let decision = row.and_then(|row| row.class.decision());
        self.decision = match self.tally.keys.is_empty() {
            true => decision,
            false => self.decision.zip(decision).map(|(all, one)| all.and(one)),
        };
        self.tally.add(index, key);
        self.at_least = self.at_least.max(unexcluded(window, index, key));
        let mut samples = window.samples_of(index).peekable();
        let is_sampled = samples.peek().is_some();
        if is_sampled && !samples.any(|sample| has_end_here(window, sample)) {
            return;
        }
        self.ours.add(index, key);
        if row.is_some_and(|row| matches!(row.class, Class::Loss(..) | Class::Delay)) {
            self.lost.add(index, key);
        }
    }

    /// The reason keeps its harm without a device. `lost`: drops that found the counting map full.
    pub(super) fn assess(&self, window: &Window<'_>, lost: u64) -> Assessment {
        let outage = kit::harm::outage(window, &self.ours, Culprit::Unknown);
        let judged = outage.unwrap_or_else(|| {
            let unknown = unreachable::unknown(window, &self.tally);
            match self.lost.count {
                0 => unknown.with_packets(self.tally.count.saturating_add(lost)),
                count => Assessment::loss(count, None).with_flows(unknown.flows),
            }
        });
        let is_unseen = self.at_least > Severity::Info;
        Assessment {
            // What a full map did not tell apart, or nobody saw, may be anything.
            decision: self.decision.filter(|_| lost == 0 && !is_unseen),
            ..judged.no_less_than(self.at_least)
        }
    }

    /// The verdict on each key.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = (usize, Verdict)> {
        let lost: HashSet<usize> = self.lost.keys.iter().copied().collect();
        self.tally
            .keys
            .iter()
            .map(move |key| match lost.contains(key) {
                true => (*key, Verdict::Harmful),
                false => (*key, Verdict::Unknown),
            })
    }
}

/// A namespace of this node holds the sender's or the receiver's address. Every node has its own loopback and link-local
/// addresses, so these tell nothing.
fn has_end_here(window: &Window<'_>, sample: &PacketSample) -> bool {
    let ends = IpPacket::of_sample(sample).map(|packet| [packet.source, packet.final_destination]);
    let is_own = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    };
    let mut ends = ends.into_iter().flatten().filter(is_own);
    ends.any(|address| !window.holders_of(address).is_empty())
}

/// A finding that explains these drops.
pub(super) fn explained(finding: Finding, tally: &Tally) -> Outcome {
    let verdict = finding.assessment.verdict();
    let keys = tally.keys.iter().copied();
    Outcome::explained(finding, keys.map(|key| (key, verdict)))
}

/// The namespace and device of a group, and its cause: what makes two keys one group.
type Place<'a> = (NetnsId, Option<u32>, &'a str);

/// Sorts what no check before has claimed. Drops in namespaces of other nodes that share this kernel are left out.
pub(super) fn leftovers<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Leftovers<'a> {
    let mut leftovers = Leftovers::default();
    let mut groups: BTreeMap<Place<'a>, Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let namespace = key.netns.map(|id| window.namespace(id));
        if key.reason.is_consumed() || namespace == Some(None) {
            continue;
        }
        let around = Surroundings::of(window, index, key);
        let (link, row) = (around.link, rows::lookup(key, &around));
        // Announcements are sent to a group, and this node is never the only one that hears them.
        let is_announcement = key.reason == Reason::UNHANDLED_PROTO && is_group_only(key.ethertype);
        if is_announcement || row.is_some_and(|row| row.class == Class::Unmissed) {
            leftovers.unmissed.add(index, key);
            continue;
        }
        let Some(namespace) = namespace.flatten() else {
            leftovers.nowhere.add(window, index, key, row);
            continue;
        };
        let cause = cause_of(key);
        let drops = &mut groups
            .entry((namespace.id, link.map(|link| link.ifindex), cause))
            .or_insert_with(|| Group {
                cause,
                namespace,
                link,
                drops: Drops::default(),
            })
            .drops;
        drops.add_without_noise(index, key, row, rows::noise_in(key, &around));
        let unexcluded = unexcluded(window, index, key);
        drops.at_least = drops.at_least.max(unexcluded);
    }
    let judged = groups.into_values().map(|group| {
        let assessment = group.assess(window);
        let ended = group.ended(window).filter(|_| assessment.is_towards_nobody);
        Judged {
            ended: ended.unwrap_or_default(),
            assessment,
            group,
        }
    });
    let has_reasons = window.drops.value().is_some_and(|drops| drops.has_reasons);
    leftovers.list(judged.collect(), has_reasons);
    leftovers
}

/// The urgency of the causes of other checks that only packets prove, and of which too few were seen.
fn unexcluded(window: &Window<'_>, index: usize, key: &DropCount) -> Severity {
    let is_unseen = window.lacks_samples(index);
    let is_super_frame = key.reason == Reason::SKB_BAD_GSO;
    let is_given_up = key.location.is_of_any(site::REASSEMBLY_EXPIRY);
    // Frames of groups end there as well; one that was seen tells.
    let is_bridged = key.location.is_of_any(site::BRIDGING)
        && key.reason.is_unnamed()
        && window.samples_of(index).next().is_none();
    if is_unseen && (is_super_frame || is_bridged) || may_have_lost_checksum(window, index, key) {
        Severity::Critical
    } else if is_unseen && is_given_up {
        Severity::Warning
    } else {
        Severity::Info
    }
}

impl<'a> Leftovers<'a> {
    /// Lists every warning and the weightiest of the others. Names break ties, so that two windows list the same.
    ///
    /// A kernel without reasons does not tell one such group from another, so they are folded.
    fn list(&mut self, judged: Vec<Judged<'a>>, has_reasons: bool) {
        let warns = |judged: &Judged<'_>| judged.assessment.severity() > Severity::Info;
        let (listed, others): (Vec<_>, Vec<_>) = judged.into_iter().partition(warns);
        let is_dumb = |judged: &Judged<'_>| !has_reasons && judged.group.drops.row.is_none();
        let (dumb, mut others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_dumb);
        if dumb.len() > 1 {
            self.folded = dumb;
        } else {
            others.extend(dumb);
        }
        others.sort_by(|a, b| {
            let name = |judged: &Judged<'_>| judged.group.place();
            (Reverse(a.weight()), a.group.cause, name(a)).cmp(&(
                Reverse(b.weight()),
                b.group.cause,
                name(b),
            ))
        });
        self.folded
            .extend(others.split_off(others.len().min(INFO_LISTED)));
        self.listed = listed;
        self.listed.append(&mut others);
    }

    /// The drops that nobody misses are so many that a person who watches drops has seen them.
    pub(super) fn is_unmissed_frequent(&self, window: &Window<'_>) -> bool {
        window.reaches_rate(self.unmissed.count, NOT_LOSS_PER_MINUTE)
    }
}

/// The kernel's reason, the function where it gives none or where that tells more, or that it says neither.
pub(super) fn cause_of(key: &DropCount) -> &str {
    match key.location.named() {
        Some(function) if key.reason.is_unnamed() || rows::is_told_by_site(key) => function,
        _ => key.reason.named().unwrap_or(Reason::NOT_SPECIFIED.as_str()),
    }
}
