//! Frames of a protocol that nobody on this node receives: counted as dropped, and harmless unless they were meant for
//! this node.

mod fold;
mod frames;
mod opened_by;
mod remedies;
mod wording;

use std::collections::BTreeMap;

use super::{
    Detector, Meta,
    kit::{Evidence, Need},
};
use crate::{
    evidence::{DropCount, Drops, EvidenceWindow, Link, LinkKind, Namespace, NetnsId},
    finding::{Claim, Confidence, Finding, Outcome, Severity, Subject, Verdict},
    kernel::{Reason, site},
    packets::protocols,
    uapi::ethertype::ETH_P_802_2,
};
use fold::Report;
use frames::Frames;
use wording::Words;

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::all(Evidence::ReasonsOrNames, "frames without a receiver"),
    Need::part(
        Evidence::Duration(LLDP_INTERVAL_MS),
        "LLDP comes every 30 s, CDP every 60 s",
    ),
];

/// The `UnhandledProtocol` check.
pub(super) struct UnhandledProtocol;

const CHECK: &str = "UnhandledProtocol";
const NO_RECEIVER: &str = "NoReceiver";

/// LLDP comes every 30 s by its default.
const LLDP_INTERVAL_MS: u64 = 30_000;

impl Detector for UnhandledProtocol {
    fn meta(&self) -> Meta {
        Meta {
            name: CHECK,
            causes: &[NO_RECEIVER],
            summary: "frames of a protocol that nobody on the node receives are counted as dropped",
        }
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &EvidenceWindow, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(drops) = window.drops.value() else {
            return outcome;
        };
        let reports = group(window, drops, so_far)
            .iter()
            .map(|group| report(window, so_far, group))
            .collect();
        for report in fold::fold(reports) {
            outcome.findings.push(report.finding);
            outcome.claims.extend(report.claims);
        }
        outcome
    }
}

/// Namespace, device and protocol: the number and the name of one of those that share it; `None` for all of them.
type GroupKey = (NetnsId, u32, Option<(u16, String)>);

/// Unreceived frames of one protocol on one device; on a port that waits for its turn, of all protocols.
struct Group<'a> {
    netns: NetnsId,
    ifindex: u32,
    link: Option<&'a Link>,
    /// The device is an inactive port of this bond or team.
    inactive_slave_of: Option<&'a Link>,
    /// Drop keys with their index.
    keys: Vec<(usize, &'a DropCount)>,
    frames: Frames<'a>,
}

impl Group<'_> {
    /// The inner end of a virtual link: a pod's eth0.
    fn is_of_guest(&self, window: &EvidenceWindow) -> bool {
        let is_elsewhere = |namespace: &Namespace| !namespace.is_node;
        window.namespace(self.netns).is_some_and(is_elsewhere)
            && self.link.is_some_and(|link| {
                link.master.is_none()
                    && matches!(link.kind, Some(LinkKind::Veth | LinkKind::NetKit))
            })
    }

    /// Whether the device's counters rise with these drops.
    fn is_counted(&self) -> bool {
        self.keys.iter().any(|(_, key)| !is_behind_llc(key))
    }

    fn count(&self) -> u64 {
        self.keys
            .iter()
            .fold(0, |sum, (_, key)| key.count.saturating_add(sum))
    }
}

/// Whether this drop says that a frame found no receiver.
fn is_unreceived(drops: &Drops, key: &DropCount) -> bool {
    // Kernels before 6.1 have no reason for it; the function tells.
    let unnamed = key.reason.is_unnamed();
    let at_core = key.location.is_of(&site::NETIF_RECEIVE_SKB_CORE);
    // 802.2 frames are taken by the LLC code where it is loaded, which then finds no receiver.
    let at_llc = is_behind_llc(key) && key.ethertype == ETH_P_802_2;
    // ip6_rcv_core says so of a packet whose version is not 6, which it did receive.
    let is_named =
        key.reason == Reason::UNHANDLED_PROTO && !key.location.is_of(&site::IP6_RCV_CORE);
    is_named || (unnamed && (at_llc || (at_core && drops.has_locations)))
}

/// Dropped by the LLC or SNAP code: received, as far as the device's counters go.
fn is_behind_llc(key: &DropCount) -> bool {
    key.location.is_of_any(site::LLC)
}

fn group<'a>(window: &'a EvidenceWindow, drops: &'a Drops, so_far: &Outcome) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<GroupKey, Group<'a>> = BTreeMap::new();
    for (index, key) in drops.counts.iter().enumerate() {
        let Some(netns) = key.netns else { continue };
        if key.count == 0 || !is_unreceived(drops, key) || so_far.is_claimed(index) {
            continue;
        }
        let link = window.link(netns, key.ifindex);
        let frames = Frames::of(window, drops, index, link);
        let inactive_slave_of = link.and_then(|link| inactive_slave_of(window, link, &frames));
        // Several protocols may share a number: LACP and OAM, everything with an 802.2 header.
        let protocol = inactive_slave_of
            .is_none()
            .then(|| (key.ethertype, frames.name()));
        let group = groups
            .entry((netns, key.ifindex, protocol))
            .or_insert_with(|| Group {
                netns,
                ifindex: key.ifindex,
                link,
                inactive_slave_of,
                keys: Vec::new(),
                frames: Frames::default(),
            });
        group.keys.push((index, key));
        group.frames.extend(frames);
    }
    groups.into_values().collect()
}

/// The bond or team of a port that only waits for its turn: what it receives is dropped by design, except link-local
/// frames, which a bond lets pass on every port (`bond_handle_frame`).
fn inactive_slave_of<'a>(
    window: &'a EvidenceWindow,
    link: &Link,
    frames: &Frames<'_>,
) -> Option<&'a Link> {
    let master = window.master(link)?;
    if link.is_waiting_team_port() {
        return Some(master);
    }
    let settings = master.bond.as_ref().filter(|_| !frames.is_link_local())?;
    let is_inactive = match (link.bond_slave, settings.active_slave) {
        (Some(slave), _) => !slave.active,
        (None, Some(active)) => settings.mode == "active-backup" && active != link.ifindex,
        (None, None) => false,
    };
    is_inactive.then_some(master)
}

fn report(window: &EvidenceWindow, so_far: &Outcome, group: &Group<'_>) -> Report {
    let namespace = window.namespace(group.netns);
    let mut subject = match group.link {
        Some(link) => Subject::of_link(link, namespace),
        None => namespace.map_or_else(Subject::default, Subject::of_namespace),
    };
    subject.ifindex = Some(group.ifindex);
    if group.inactive_slave_of.is_none() {
        subject.protocol = Some(group.frames.name());
    }
    let verdict = verdict(group);
    let is_for_us = verdict != Verdict::Benign && group.frames.for_us > 0;
    let severity = if is_for_us {
        Severity::Warning
    } else {
        Severity::Info
    };
    let words = Words::of(window, group, is_for_us);
    let mut finding = Finding::new(CHECK, NO_RECEIVER, severity, subject, words.text());
    let is_named = |(_, key): &(usize, &DropCount)| key.reason == Reason::UNHANDLED_PROTO;
    // For whom a frame was is known of the sampled ones alone.
    let is_sampled = u64::try_from(group.frames.seen).is_ok_and(|seen| seen >= group.count());
    finding.confidence = if group.keys.iter().any(is_named) && (!is_for_us || is_sampled) {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    finding.count = group.count();
    finding.first_ms = group
        .keys
        .iter()
        .map(|(_, key)| key.first_ms)
        .min()
        .unwrap_or(0);
    finding.last_ms = group
        .keys
        .iter()
        .map(|(_, key)| key.last_ms)
        .max()
        .unwrap_or(0);
    if let Some(link) = group.link {
        finding.caused_by = opened_by::findings(window, so_far, link, &group.frames);
    }
    words.describe(&mut finding);
    let claim = |(drop, key): &(usize, &DropCount)| Claim {
        drop: *drop,
        verdict,
        protocol: Some(group.frames.name_of(key.ethertype)),
        finding: finding.id.clone(),
    };
    Report {
        claims: group.keys.iter().map(claim).collect(),
        is_of_guest: group.is_of_guest(window),
        finding,
    }
}

/// Whether somebody on this node misses the frames.
fn verdict(group: &Group<'_>) -> Verdict {
    let frames = &group.frames;
    if group.inactive_slave_of.is_some() || frames.is_harmless_by_protocol() {
        return Verdict::Benign;
    }
    match (frames.for_us, frames.seen) {
        // Without a sample only a protocol that is never sent to one receiver is known to be harmless.
        (_, 0)
            if group
                .keys
                .iter()
                .all(|(_, key)| protocols::is_group_only(key.ethertype)) =>
        {
            Verdict::Benign
        }
        (_, 0) => Verdict::Unknown,
        (0, _) => Verdict::Benign,
        (for_us, seen) if for_us == seen => Verdict::Harmful,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests;
