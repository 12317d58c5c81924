//! Checksums that were lost on the way, or broken with the bytes.

use std::cmp::Reverse;

use super::{
    candidates::{self, Candidates},
    flips,
    path::{self, Forwarder},
    processes::Processes,
    sender::{Sender, senders},
    signature::ENOUGH,
    trigger::{self, Trigger},
    way::{self, Way},
};
use crate::{
    Window,
    detectors::kit::{Tally, harm},
    evidence::{Link, Namespace},
    finding::{Assessment, Confidence, Culprit, Severity},
    packets::ip::IpPacket,
};

/// Packets whose checksum was half-made when the receiver looked at it.
pub(super) struct Lost<'a> {
    pub(super) candidates: &'a Candidates<'a>,
    pub(super) tally: Tally,
    pub(super) senders: Vec<Sender<'a>>,
    /// Programs that may have passed the packets on.
    pub(super) forwarders: Vec<Forwarder<'a>>,
    /// Of packets that are all longer than their sender's device sends, the MTU of that device: they were to be cut
    /// into segments.
    pub(super) exceeded_mtu: Option<u32>,
    pub(super) confidence: Confidence,
}

/// Packets whose bytes changed, as far as their checksums show.
pub(super) struct Broken<'a> {
    pub(super) candidates: &'a Candidates<'a>,
    /// The packets, and frames whose EtherType a flipped bit made unknown.
    pub(super) tally: Tally,
    /// The frames among them.
    pub(super) flipped: u64,
    pub(super) shows: Shows,
    pub(super) way: Way<'a>,
    pub(super) confidence: Confidence,
}

/// The pattern that the checksums of broken packets show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// The checksum of an IP header or of ICMP is wrong, which no sender leaves to the device.
    OtherChecksum,
    /// Too few packets were sampled to tell.
    Nothing,
    /// A sender writes one value whatever the packet is.
    FixedValue,
    /// Some hold a half-made checksum, too few to tell.
    FewHalfMade,
    /// None holds a half-made checksum.
    ChangedBytes,
}

/// Segments with a wrong checksum of which no packet could be seen.
pub(super) struct Unseen<'a> {
    pub(super) count: u64,
    /// The namespaces, the most frequent first.
    pub(super) namespaces: Vec<&'a Namespace>,
}

impl<'a> Lost<'a> {
    pub(super) fn of(
        window: &'a Window<'_>,
        processes: &'a Processes<'a>,
        candidates: &'a Candidates<'a>,
    ) -> Option<Self> {
        let confidence = candidates.loss()?;
        let tally = candidates.lost_tally();
        let senders = senders(window, candidates);
        let first_link = senders.iter().find_map(|sender| sender.link);
        let last_link = end_of_path(window, candidates);
        Some(Self {
            candidates,
            forwarders: path::forwarders(window, processes, first_link, last_link, tally.count),
            exceeded_mtu: exceeded_mtu(&senders, candidates),
            tally,
            senders,
            confidence,
        })
    }

    /// An outage where the samples prove a dead flow, else loss out of what the namespace received of that protocol; of
    /// what died before it reached a socket, out of what the device received.
    pub(super) fn assessment(&self, window: &Window<'_>) -> Assessment {
        let lost = self.tally.count;
        let of_protocol = self.candidates.carried(window);
        let carried = of_protocol.or_else(|| self.candidates.carried_by_device(window, lost));
        let samples = self.candidates.lost_samples(window);
        let loss = harm::loss_of(&samples, self.tally.count, Culprit::Here, carried);
        harm::unless_dead(window, &self.tally, loss).or_more(self.candidates.is_least())
    }

    /// The forwarder that must have passed the packets on, if there is only one.
    pub(super) fn responsible(&self) -> Option<&Forwarder<'a>> {
        path::responsible(&self.forwarders)
    }
}

/// The end of the path: the receiver's own link, also when a filter on the way dropped the packet.
fn end_of_path<'a>(window: &'a Window<'_>, candidates: &Candidates<'_>) -> Option<&'a Link> {
    let dropped_on = candidates
        .netns
        .and_then(|netns| window.topology.link(netns, candidates.ifindex));
    if candidates.trigger == Trigger::Checksum {
        return dropped_on;
    }
    // A filter sees the packet after the forwarder handed it on, so the device it came in on is the path's last known
    // point; the receiver behind it is not reached.
    dropped_on.or_else(|| {
        let packet = candidates.pseudo_header.first()?;
        path::holder_of(window, packet.final_destination)?.1
    })
}

fn exceeded_mtu(senders: &[Sender<'_>], candidates: &Candidates<'_>) -> Option<u32> {
    let mtu = senders
        .iter()
        .filter_map(|sender| Some(sender.link?.mtu))
        .max()?;
    let mut lost = candidates.half_made();
    let is_longer = |packet: &IpPacket<'_>| {
        let length = packet.transport_length;
        length.is_some_and(|length| length > mtu as usize)
    };
    lost.all(is_longer).then_some(mtu)
}

impl<'a> Broken<'a> {
    /// Both proofs of a lost partial checksum fail for at least some of the packets that the kernel dropped for their
    /// checksum. A filter's drop says nothing of the kind.
    pub(super) fn of(window: &'a Window<'_>, candidates: &'a Candidates<'a>) -> Option<Self> {
        // Beside a proved loss a few packets that fit neither proof are no second fault (other flows' few samples).
        let is_explained = candidates.loss().is_some()
            && !(candidates.translated.is_empty() && candidates.other >= ENOUGH);
        let mut others = candidates.broken();
        let is_unseen = others.any(|key| window.lacks_samples(key.index));
        if candidates.trigger != Trigger::Checksum || is_explained && !is_unseen {
            return None;
        }
        let proofs_failed = candidates.half_made().next().is_none();
        let is_sure = candidates.only_other_checksums() || candidates.other >= ENOUGH;
        let shows = Shows::of(window, candidates);
        let mut tally = candidates.broken_tally();
        // A sender that writes one value flips no bits.
        let flips = flips::of(window, candidates).filter(|_| shows != Shows::FixedValue);
        let flips: Tally = flips.collect();
        tally.merge(&flips);
        Some(Self {
            candidates,
            tally,
            flipped: flips.count,
            shows,
            way: way::of(window, candidates),
            confidence: if proofs_failed && is_sure && shows != Shows::Nothing {
                Confidence::Likely
            } else {
                Confidence::Possible
            },
        })
    }
}

impl Broken<'_> {
    /// Loss out of what the namespace received of that protocol; of headers and frames out of what the device did.
    pub(super) fn assessment(&self, window: &Window<'_>) -> Assessment {
        let lost = self.tally.count;
        let of_protocol = self.candidates.carried(window);
        let of_protocol = of_protocol.filter(|_| self.flipped == 0);
        let carried = of_protocol.or_else(|| self.candidates.carried_by_device(window, lost));
        let loss = harm::loss(window, &self.tally, Culprit::Unknown, carried);
        match self.shows {
            // A program here may have lost the checksums of a whole connection.
            Shows::Nothing => loss.no_less_than(Severity::Critical),
            _ => loss,
        }
    }
}

impl Shows {
    fn of(window: &Window<'_>, candidates: &Candidates<'_>) -> Self {
        let mut broken = candidates.broken();
        if candidates.only_other_checksums() {
            Self::OtherChecksum
        } else if candidates::judged(candidates.broken()) == 0
            || broken.any(|key| window.lacks_samples(key.index))
        {
            Self::Nothing
        } else if candidates.has_fixed_field {
            Self::FixedValue
        } else if candidates.loss().is_none() && !candidates.pseudo_header.is_empty() {
            Self::FewHalfMade
        } else {
            Self::ChangedBytes
        }
    }
}

/// The namespace of these drops, where its counters are closed to the agent: what died there stands in no ledger.
pub(super) fn uncounted<'a>(
    window: &'a Window<'_>,
    candidates: &Candidates<'_>,
) -> Option<&'a Namespace> {
    let namespace = window.namespace(candidates.netns?)?;
    let is_missing = namespace.counters.is_empty() && candidates.trigger == Trigger::Checksum;
    is_missing.then_some(namespace)
}

/// Segments of one namespace with a wrong checksum that only a counter tells of.
pub(super) struct Counted<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
}

impl Counted<'_> {
    /// TCP dropped them, so that they are lost, whatever made their checksums wrong.
    pub(super) fn assessment(&self) -> Assessment {
        let lost = self.tally.count;
        Assessment::loss(lost, harm::tcp_received_beside(self.namespace, lost))
    }
}

/// The namespaces in which only a counter tells of wrong checksums.
pub(super) fn counted<'a>(window: &'a Window<'_>) -> impl Iterator<Item = Counted<'a>> {
    window.namespaces.iter().filter_map(|namespace| {
        let count = trigger::unseen(window, namespace);
        (count > 0).then(|| Counted {
            namespace,
            tally: Tally::of_counter(count, (0, window.duration_ms)),
        })
    })
}

/// Wrong checksums of which no packet could be seen.
pub(super) fn unseen<'a>(window: &'a Window<'_>) -> Option<Unseen<'a>> {
    let mut places: Vec<(u64, &Namespace)> = window
        .namespaces
        .iter()
        .map(|namespace| (trigger::unseen(window, namespace), namespace))
        .filter(|(count, _)| *count > 0)
        .collect();
    places.sort_by_key(|(count, namespace)| (Reverse(*count), namespace.id));
    let counts = places.iter().map(|(count, _)| *count);
    let count = counts.fold(0, u64::saturating_add);
    let namespaces = places.into_iter().map(|(_, namespace)| namespace);
    (count > 0).then(|| Unseen {
        count,
        namespaces: namespaces.collect(),
    })
}
