//! Domains that interfaces share, with what the collisions in them cost.

use std::net::IpAddr;

use super::{
    collisions::{Collisions, Range},
    domain::Domain,
    fragments::{FragmentDrops, Place},
};
use crate::{
    Window,
    detectors::promiscuity::Openers,
    evidence::{FrameCopy, Link},
    finding::{Assessment, Confidence, Culprit, FindingId, Harm, Severity, Verdict},
};

/// As many devices as one list of commands deals with.
const OPENED_SHOWN: usize = 4;

/// A broadcast domain that two interfaces share.
pub(super) struct Shared<'a> {
    pub(super) domain: &'a Domain<'a>,
    pub(super) collisions: &'a Collisions<'a>,
    /// Datagrams that nobody got.
    pub(super) lost: Range,
    pub(super) state: State,
    pub(super) confidence: Confidence,
    pub(super) count: u64,
    /// The findings by which interfaces let the copies in.
    pub(super) caused_by: Vec<FindingId>,
}

/// The state of a shared domain, as far as it is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Frames come in twice, and nothing collides.
    Copied,
    /// Fragments met their copies, and one copy of each datagram was completed.
    Collided,
    /// Fragments met their copies, and nothing tells whether one copy of each datagram arrived.
    Uncertain,
    /// Datagrams were lost.
    Lost,
}

/// The reason why it is not known on which interfaces fragments came twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// The probe did not run meanwhile.
    Unwatched,
    /// So many frames had their headers outside the linear part.
    Unreadable(u64),
}

impl<'a> Shared<'a> {
    pub(super) fn of(
        window: &Window<'_>,
        openers: &Openers<'_>,
        domain: &'a Domain<'a>,
        collisions: &'a Collisions<'a>,
    ) -> Self {
        let lost = collisions.lost(domain);
        let (state, count) = if lost.at_least > 0 {
            (State::Lost, lost.at_least)
        } else if collisions.collides() && domain.has_receiver() != Some(false) {
            let is_whole = lost.at_most == 0 && collisions.left_a_copy(domain.namespace);
            let state = if is_whole {
                State::Collided
            } else {
                State::Uncertain
            };
            (state, collisions.duplicates.at_most)
        } else {
            (State::Copied, domain.copied())
        };
        let mut shared = Self {
            domain,
            collisions,
            lost,
            state,
            confidence: if domain.is_proved() {
                Confidence::Certain
            } else {
                Confidence::Likely
            },
            count,
            caused_by: Vec::new(),
        };
        shared.caused_by = shared.opened_by(window, openers);
        shared
    }

    /// The harm: datagrams that nobody got against those that reached somebody. A whole datagram that died on an
    /// interface without a member is among the completed ones too.
    pub(super) fn assessment(&self) -> Assessment {
        let culprit = if self.caused_by.is_empty() && self.only_unjoined().is_none() {
            Culprit::Unknown
        } else {
            Culprit::Here
        };
        let assessment = match self.state {
            State::Lost => {
                let completed = self.domain.namespace.increase("Ip.ReasmOKs");
                let died = self.collisions.wholes.at_least;
                let arrived = completed.map(|completed| completed.saturating_sub(died));
                Assessment::loss(self.lost.at_least, arrived)
                    .or_more(self.lost.at_least < self.lost.at_most)
                    .by(culprit)
            }
            State::Uncertain => Assessment {
                packets: Some(self.lost.at_most).filter(|most| *most > 0),
                ..Assessment::of(Harm::Unknown).by(culprit)
            },
            State::Collided | State::Copied => Assessment::none(),
        };
        // What was refused may have been datagrams whose copies were lost.
        if self.collisions.unseen > 0 {
            assessment.no_less_than(Severity::Warning)
        } else {
            assessment
        }
    }

    /// The findings by which interfaces that filter addresses let in frames of groups that nobody there has joined.
    fn opened_by(&self, window: &Window<'_>, openers: &Openers<'_>) -> Vec<FindingId> {
        // A broadcast needs no open filter.
        let is_filtered = |copy: &FrameCopy| match copy.destination {
            Some(IpAddr::V4(address)) => !address.is_broadcast(),
            Some(IpAddr::V6(_)) => true,
            None => false,
        };
        if !self.domain.copies.iter().any(is_filtered) {
            return Vec::new();
        }
        let devices = self
            .entrances()
            .flat_map(|link| window.topology.stack_below(link));
        openers.of_devices(devices, |device| {
            device.is_promiscuous() || device.is_all_multicast()
        })
    }

    /// The drops that belong to the domain as a whole, each with its verdict.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = (usize, Verdict)> {
        let drops = self.collisions.drops.iter();
        let whole = drops.filter(|one| one.is_all_of(self.domain));
        whole.map(|one| {
            let verdict = match one.place {
                Place::Routing if one.wholes > 0 && self.lost.at_least > 0 => Verdict::Harmful,
                Place::Routing if one.wholes > 0 && self.state == State::Uncertain => {
                    Verdict::Unknown
                }
                Place::Reassembly | Place::Routing | Place::Expiry => Verdict::Benign,
            };
            (one.drop, verdict)
        })
    }

    /// The interfaces that let copies in which nobody there wants; all of them where that is not known.
    fn entrances(&self) -> impl Iterator<Item = &'a Link> {
        let unjoined = self.collisions.unjoined();
        let links = self.domain.links.iter().copied();
        links.filter(move |link| unjoined.is_empty() || unjoined.contains(&link.ifindex))
    }

    /// The devices that a user has made promiscuous, and that let the copies in.
    pub(super) fn opened_by_users(&self, window: &'a Window<'_>) -> Vec<&'a Link> {
        self.entrances()
            .flat_map(|link| window.topology.stack_below(link))
            .filter(|device| device.promiscuity_requested())
            .take(OPENED_SHOWN)
            .collect()
    }

    /// The only interface on which nobody wants the copies.
    pub(super) fn only_unjoined(&self) -> Option<&'a Link> {
        let unjoined = self.collisions.unjoined();
        let [ifindex] = unjoined.iter().collect::<Vec<_>>()[..] else {
            return None;
        };
        let mut links = self.domain.links.iter().copied();
        links.find(|link| link.ifindex == *ifindex)
    }
}

/// Fragments that came twice, on interfaces that are not known, because nothing was watched or not all could be read.
pub(super) fn unplaced_copies(
    window: &Window<'_>,
    drops: &[FragmentDrops<'_>],
    known: &[Collisions<'_>],
) -> Option<Unplaced> {
    let mut drops = drops.iter();
    let is_open = window.frame_copies.missing().is_none()
        && drops.any(|one| is_unplaced_copy(window, one, known));
    match window.frame_copies.value().map(|seen| seen.unreadable) {
        _ if !is_open => None,
        None => Some(Unplaced::Unwatched),
        Some(0) => None,
        Some(frames) => Some(Unplaced::Unreadable(frames)),
    }
}

/// Fragments that came twice in a namespace with two interfaces to come in on, and that belong to no known domain.
fn is_unplaced_copy(
    window: &Window<'_>,
    one: &FragmentDrops<'_>,
    known: &[Collisions<'_>],
) -> bool {
    let netns = one.key.netns.into_iter();
    let links = netns.flat_map(|netns| window.topology.links_in(netns));
    let ways_in = links.filter(|link| link.is_up() && link.name != "lo");
    let mut placed = known.iter().flat_map(|collisions| &collisions.drops);
    one.place == Place::Reassembly
        && ways_in.count() > 1
        && !placed.any(|other| other.drop == one.drop)
}
