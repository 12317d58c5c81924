//! Drops that may be about a checksum, gathered by the place of the drop.

use std::collections::{BTreeSet, HashMap};

use super::{
    path,
    signature::{self, ENOUGH, Field},
    translation::{self, Translation},
    trigger::{self, Trigger, is_other_checksum},
};
use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{DropCount, NetnsId, PacketSample},
    finding::{Confidence, Subject},
    packets::ip::{IpPacket, TCP, UDP},
};

/// `skb->ip_summed` of a packet whose checksum the stack still knows to be unfinished. Such a packet is healthy as far
/// as its checksum goes, although its field holds the pseudo-header's sum.
const CHECKSUM_PARTIAL: u8 = 3;

/// Drops at one place.
pub(super) struct Candidates<'a> {
    pub(super) netns: Option<NetnsId>,
    pub(super) ifindex: u32,
    pub(super) trigger: Trigger,
    pub(super) keys: Vec<Key<'a>>,
    /// Sampled packets whose checksum field is the pseudo-header's sum.
    pub(super) pseudo_header: Vec<IpPacket<'a>>,
    /// Sampled packets whose field misses that sum by one value, whatever their bytes are.
    pub(super) translated: Vec<IpPacket<'a>>,
    /// Some packets hold one value whatever their length and addresses are.
    pub(super) has_fixed_field: bool,
    /// Sampled packets that fit neither proof.
    pub(super) other: usize,
}

/// One drop key among the candidates.
pub(super) struct Key<'a> {
    pub(super) index: usize,
    pub(super) drop: &'a DropCount,
    /// Sampled packets whose checksum could be judged.
    judged: usize,
    /// Those whose checksum is half-made.
    half_made: usize,
    /// The packets themselves.
    packets: Vec<IpPacket<'a>>,
    /// The transport protocol of its samples.
    pub(super) protocol: Option<u8>,
    /// It is about another checksum (IP header, ICMP), which no sender leaves to the device.
    is_other_checksum: bool,
}

impl Key<'_> {
    /// Half-made checksums were seen in it.
    fn has_lost(&self) -> bool {
        self.half_made > 0
    }

    /// Most of its packets died of them, as far as the samples show.
    fn is_lost(&self) -> bool {
        self.half_made * 2 > self.judged
    }
}

/// All drops that may be about a checksum, by place and trigger, in the order of the evidence (most drops first).
pub(super) fn by_place<'a>(window: &'a Window<'_>) -> Vec<Candidates<'a>> {
    let Some(drops) = window.drops.value() else {
        return Vec::new();
    };
    let mut places: Vec<Candidates<'_>> = Vec::new();
    let mut known: HashMap<(Option<NetnsId>, u32, Trigger), usize> = HashMap::new();
    for (index, drop) in drops.counts.iter().enumerate() {
        let Some(trigger) = trigger::of(window, drop) else {
            continue;
        };
        let packets = packets_of(window, index);
        if signature::sent_without(&packets) {
            continue; // No checksum was sent, so none was lost or broken.
        }
        let Some((netns, ifindex)) = place(window, drop, &packets) else {
            continue;
        };
        let at = *known.entry((netns, ifindex, trigger)).or_insert_with(|| {
            places.push(Candidates::empty(netns, ifindex, trigger));
            places.len() - 1
        });
        places[at].keys.push(Key {
            index,
            drop,
            judged: 0,
            half_made: 0,
            protocol: packets.iter().find_map(transport),
            is_other_checksum: is_other_checksum(&drop.reason),
            packets,
        });
    }
    for place in &mut places {
        place.judge();
    }
    places
}

fn packets_of<'a>(window: &'a Window<'_>, index: usize) -> Vec<IpPacket<'a>> {
    window
        .samples_of(index)
        .filter(|sample: &&PacketSample| sample.ip_summed != CHECKSUM_PARTIAL)
        .filter_map(IpPacket::of_sample)
        .collect()
}

/// The place of the drop. A datagram that is verified late has no device any more; then the place is the link that
/// holds its destination address, or the node where several do. `None` when it died on no device of this node: other
/// nodes may share the kernel.
fn place(
    window: &Window<'_>,
    drop: &DropCount,
    packets: &[IpPacket<'_>],
) -> Option<(Option<NetnsId>, u32)> {
    if drop.netns.is_some() && drop.ifindex != 0 {
        return Some((drop.netns, drop.ifindex));
    }
    let destination = packets.first().map(|packet| packet.final_destination);
    match destination.and_then(|address| path::holder_of(window, address)) {
        Some((namespace, link)) if drop.netns.is_none_or(|netns| netns == namespace.id) => {
            Some((Some(namespace.id), link.map_or(0, |link| link.ifindex)))
        }
        _ if drop.netns.is_some() => Some((drop.netns, 0)),
        _ => destination
            .is_some_and(|address| path::is_held(window, address))
            .then_some((None, 0)),
    }
}

impl<'a> Candidates<'a> {
    fn empty(netns: Option<NetnsId>, ifindex: u32, trigger: Trigger) -> Self {
        Self {
            netns,
            ifindex,
            trigger,
            keys: Vec::new(),
            pseudo_header: Vec::new(),
            translated: Vec::new(),
            has_fixed_field: false,
            other: 0,
        }
    }

    fn judge(&mut self) {
        let translations = self.translations();
        for key in self.keys.iter_mut().filter(|key| !key.is_other_checksum) {
            self.has_fixed_field |= translation::has_fixed_field(&key.packets);
            for packet in &key.packets {
                let Some(field) = signature::classify(packet) else {
                    continue;
                };
                key.judged += 1;
                let is_translated =
                    translation::of(packet).is_some_and(|found| translations.contains(&found));
                match field {
                    Field::PseudoHeader => {
                        key.half_made += 1;
                        self.pseudo_header.push(packet.clone());
                    }
                    Field::Other if is_translated => {
                        key.half_made += 1;
                        self.translated.push(packet.clone());
                    }
                    Field::Other => self.other += 1,
                    Field::Correct => {}
                }
            }
        }
    }

    fn translations(&self) -> BTreeSet<Translation> {
        // Only a packet that was dropped for its checksum is known to have a wrong one; what a filter drops may be
        // right, or have none.
        if self.trigger == Trigger::Elsewhere {
            return BTreeSet::new();
        }
        let keys = self.keys.iter().filter(|key| !key.is_other_checksum);
        let packets: Vec<IpPacket<'a>> = keys.flat_map(|key| key.packets.clone()).collect();
        translation::proved(&packets)
    }

    /// The keys in which half-made checksums were lost, with the packets that died of it: of keys that hold other
    /// packets too only those that show it are counted.
    pub(super) fn lost_tally(&self) -> Tally {
        let count = |key: &Key<'_>| {
            if self.is_wholly_lost(key) {
                key.drop.count
            } else {
                key.half_made as u64
            }
        };
        let keys = self.lost().map(|key| (key.index, key.drop));
        let count = self.lost().map(count).fold(0, u64::saturating_add);
        Tally::from_iter(keys).with_count(count)
    }

    /// More packets may have died of it than are counted.
    pub(super) fn is_least(&self) -> bool {
        self.lost().any(|key| !self.is_wholly_lost(key))
    }

    fn is_wholly_lost(&self, key: &Key<'_>) -> bool {
        match self.trigger {
            Trigger::Checksum => key.is_lost(),
            // A filter drops all kinds of packets for all kinds of reasons.
            Trigger::Elsewhere => key.has_lost() && key.half_made == key.judged,
        }
    }

    /// The sampled packets with a half-made checksum.
    pub(super) fn half_made(&self) -> impl Iterator<Item = &IpPacket<'a>> {
        self.pseudo_header.iter().chain(&self.translated)
    }

    /// The keys in which half-made checksums were lost.
    pub(super) fn lost(&self) -> impl Iterator<Item = &Key<'a>> {
        self.keys.iter().filter(|key| key.has_lost())
    }

    /// Samples of the packets that died of a half-made checksum: of keys that hold other packets too only those that
    /// show it.
    pub(super) fn lost_samples<'w>(&self, window: &'w Window<'_>) -> Vec<&'w PacketSample> {
        let of_key = |key: &Key<'_>| {
            let is_whole = self.is_wholly_lost(key);
            let samples = window.samples_of(key.index);
            let shows = move |sample: &&PacketSample| {
                let packet = IpPacket::of_sample(sample);
                is_whole || packet.is_some_and(|packet| signature::is_half_made(&packet))
            };
            samples.filter(shows).collect::<Vec<_>>()
        };
        self.lost().flat_map(of_key).collect()
    }

    /// Keys to claim for a lost partial checksum: not those that hold other packets too.
    pub(super) fn lost_keys(&self) -> Vec<usize> {
        let whole = |key: &&Key<'_>| self.is_wholly_lost(key);
        self.lost().filter(whole).map(|key| key.index).collect()
    }

    /// The confidence that half-made checksums were lost here; `None` when nothing proves it.
    pub(super) fn loss(&self) -> Option<Confidence> {
        match (self.pseudo_header.len(), self.trigger) {
            (ENOUGH.., _) => Some(Confidence::Certain),
            (_, Trigger::Elsewhere) => None,
            // By chance one of 65,536 broken packets looks half-made: of a few samples hardly two do, or the only one.
            (2, _) => Some(Confidence::Likely),
            // A sender may write one wrong value always.
            _ if !self.translated.is_empty() => Some(Confidence::Likely),
            (1, _) if self.other == 0 => Some(Confidence::Possible),
            _ => None,
        }
    }

    /// The keys that no lost checksum explains, with the packets that died of something else.
    pub(super) fn broken_tally(&self) -> Tally {
        let lost = self.loss().is_some();
        let count = |key: &Key<'_>| {
            let half_made = if lost { key.half_made as u64 } else { 0 };
            key.drop.count.saturating_sub(half_made)
        };
        let keys = self.broken().map(|key| (key.index, key.drop));
        let count = self.broken().map(count).fold(0, u64::saturating_add);
        Tally::from_iter(keys).with_count(count)
    }

    /// All that is left is about the checksums of IP headers and ICMP, which no sender leaves to the device.
    pub(super) fn only_other_checksums(&self) -> bool {
        self.broken().all(|key| key.is_other_checksum)
    }

    /// The keys that no lost checksum explains.
    pub(super) fn broken(&self) -> impl Iterator<Item = &Key<'a>> {
        let lost = self.loss().is_some();
        let is_explained = move |key: &Key<'_>| lost && self.is_wholly_lost(key);
        self.keys.iter().filter(move |key| !is_explained(key))
    }

    /// The sampled packets of the keys that no lost checksum explains.
    pub(super) fn broken_packets(&self) -> impl Iterator<Item = &IpPacket<'a>> {
        self.broken().flat_map(|key| &key.packets)
    }

    pub(super) fn subject(&self, window: &Window<'_>) -> Subject {
        let namespace = self.netns.and_then(|netns| window.namespace(netns));
        let link = self
            .netns
            .and_then(|netns| window.topology.link(netns, self.ifindex));
        Subject::of_place(link, namespace)
    }
}

/// The number of sampled packets of these keys whose checksum could be judged.
pub(super) fn judged<'a>(keys: impl Iterator<Item = &'a Key<'a>>) -> usize {
    keys.map(|key| key.judged).sum()
}

fn transport(packet: &IpPacket<'_>) -> Option<u8> {
    Some(packet.protocol).filter(|protocol| [TCP, UDP].contains(protocol))
}
