//! Packets that are lost between the ends of a veth because of their MTUs.

use crate::{
    Window,
    detectors::kit::{Tally, harm},
    evidence::{DropCount, Link, Namespace, PacketSample},
    finding::{Assessment, Confidence, Culprit, Harm},
    kernel::site,
};

/// `hard_header_len` of Ethernet, bytes.
const ETHERNET_HEADER: u32 = 14;
/// VLAN_HLEN: `__is_skb_forwardable` leaves room for one 802.1Q tag.
pub(super) const VLAN_TAG: u32 = 4;

/// One end of a veth.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) link: &'a Link,
    pub(super) namespace: &'a Namespace,
}

/// Packets that the receiver refused for their length.
pub(super) struct Loss<'a> {
    /// The end with the larger MTU.
    pub(super) sender: End<'a>,
    pub(super) receiver: End<'a>,
    pub(super) tally: Tally,
    /// Smallest and largest sampled, bytes without the Ethernet header.
    pub(super) sizes: Option<(u32, u32)>,
    /// Increase at the sender.
    pub(super) tx_dropped: u64,
    /// Increase at the receiver.
    pub(super) rx_dropped: u64,
    pub(super) confidence: Confidence,
}

/// The losses of every veth. Unequal MTUs hurt nobody by themselves: the larger end may never send a packet that long.
pub(super) fn losses<'a>(window: &'a Window<'_>) -> impl Iterator<Item = Loss<'a>> {
    window.links().iter().filter_map(|link| {
        let peer = window.topology.veth_peer(link)?;
        if link.mtu <= peer.mtu {
            return None;
        }
        Loss::between(window, End::of(window, link)?, End::of(window, peer)?)
    })
}

/// Nothing that is longer than the smaller MTU gets through, however often it is sent. Where no packet showed its
/// length, the receiver may have refused them for being down, or its CPU's backlog was full: then they are lost, and
/// nothing tells of an outage.
pub(super) fn assessment(window: &Window<'_>, loss: &Loss<'_>) -> Assessment {
    if loss.sizes.is_none() {
        return Assessment::loss(loss.tally.count, Some(harm::sent(loss.sender.link)));
    }
    Assessment::of(Harm::Outage)
        .by(Culprit::Here)
        .with_packets(loss.tally.count)
        .with_flows(harm::flows(window, &loss.tally))
}

impl<'a> End<'a> {
    fn of(window: &'a Window<'_>, link: &'a Link) -> Option<Self> {
        let namespace = window.namespace(link.netns)?;
        Some(Self { link, namespace })
    }
}

impl<'a> Loss<'a> {
    /// `None` when nothing shows that the sender lost something to the smaller MTU of the receiver.
    fn between(window: &Window<'_>, sender: End<'a>, receiver: End<'a>) -> Option<Self> {
        let mut loss = Self {
            sender,
            receiver,
            tally: Tally::default(),
            sizes: None,
            tx_dropped: sender.link.increase(|stats| stats.tx_dropped),
            rx_dropped: receiver.link.increase(|stats| stats.rx_dropped),
            confidence: Confidence::Certain,
        };
        // `veth_xmit` counts tx_dropped and `____dev_forward_skb` counts rx_dropped for the same packet. A receiver that
        // is down refuses every packet alike.
        let rose_together = loss.tx_dropped > 0 && loss.rx_dropped > 0 && receiver.link.is_up();
        let Some(drops) = window.drops.value() else {
            // A full backlog and a receiver that is down raise the same two counters.
            let lost = loss.tx_dropped.min(loss.rx_dropped);
            loss.tally = Tally::of_counter(lost, (0, window.duration_ms));
            loss.confidence = Confidence::Possible;
            return rose_together.then_some(loss);
        };
        for drop in window.drops_on(sender.link).iter().copied() {
            if let Some(key) = drops.counts.get(drop)
                && let Some(refused) = Refused::of_key(window, drop, key, receiver.link)
                && (!refused.lengths.is_empty() || rose_together)
            {
                loss.add(drop, key, &refused);
            }
        }
        (!loss.tally.keys.is_empty()).then_some(loss)
    }

    fn add(&mut self, drop: usize, key: &DropCount, refused: &Refused) {
        self.tally.add(drop, key);
        for length in &refused.lengths {
            let (smallest, largest) = self.sizes.unwrap_or((*length, *length));
            self.sizes = Some((smallest.min(*length), largest.max(*length)));
        }
        let all_too_long = !refused.lengths.is_empty() && !refused.some_fitted;
        if key.location.is_hidden() || !all_too_long {
            self.confidence = self.confidence.min(Confidence::Likely);
        }
    }
}

/// The samples of one key.
struct Refused {
    /// Lengths of the samples that were too long, bytes without the Ethernet header.
    lengths: Vec<u32>,
    /// A sample would have fitted: something else drops there too (a receiver that is down).
    some_fitted: bool,
}

impl Refused {
    /// `None` when the key's packets were not dropped between these ends, or none of its samples was too long. A key
    /// without a sample at a location that compares the MTU stays possible.
    fn of_key(window: &Window<'_>, drop: usize, key: &DropCount, receiver: &Link) -> Option<Self> {
        let at_forward = key.location.is_of(&site::DEV_FORWARD_SKB);
        // Where kallsyms is blanked, only the length tells.
        let unnamed = key.location.is_hidden() && key.reason.is_unnamed();
        if !(at_forward || unnamed) {
            return None;
        }
        let (too_long, fitting): (Vec<u32>, Vec<u32>) = window
            .samples_of(drop)
            .map(length_without_link_header)
            .partition(|length| *length > receiver.mtu.saturating_add(VLAN_TAG));
        let unsampled = too_long.is_empty() && fitting.is_empty();
        let possible = !too_long.is_empty() || (at_forward && unsampled);
        possible.then_some(Self {
            lengths: too_long,
            some_fitted: !fitting.is_empty(),
        })
    }
}

/// At the drop the packet begins with its Ethernet header; the limit is MTU + that header + one tag.
pub(super) fn length_without_link_header(sample: &PacketSample) -> u32 {
    if sample.has_link_header {
        sample.length.saturating_sub(ETHERNET_HEADER)
    } else {
        sample.length
    }
}
