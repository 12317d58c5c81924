//! Facts from the samples of unreceived frames: protocol, tag, senders, and receivers.

use crate::{
    Window,
    evidence::{Drops, Link, PacketSample},
    packets::{
        cdp::Cdp,
        frame::{Carried, Frame, Mac, vlan_id},
        lldp::Lldp,
        protocols::{self, Protocol},
    },
    uapi::ethertype::{ETH_P_802_2, ETH_P_LLDP, ETH_P_SLOW},
};

/// Senders named in one finding.
const MOST_SENDERS: usize = 8;
/// Protocols that share a key (802.2) and are named together.
const MOST_PROTOCOLS: usize = 3;
/// `skb->pkt_type`: for this host.
const PACKET_HOST: u8 = 0;
/// `skb->pkt_type`: for another host.
pub(super) const PACKET_OTHERHOST: u8 = 3;

/// Facts about the frames of one finding.
#[derive(Debug, Default)]
pub(super) struct Frames<'a> {
    /// Protocols, most often seen first.
    pub protocols: Vec<Protocol>,
    /// Senders that name themselves.
    pub senders: Vec<Sender<'a>>,
    /// VLAN tags.
    pub vlans: Vec<u16>,
    /// Subtypes of slow protocols.
    pub slow_subtypes: Vec<u8>,
    /// Some had the tag of a VLAN for which the device has none above it.
    pub of_foreign_vlan: bool,
    /// Destinations.
    pub destinations: Vec<Mac>,
    /// Samples with a readable destination.
    pub seen: usize,
    /// Those that were sent only to this node.
    pub for_us: usize,
}

/// A neighbour that announced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sender<'a> {
    /// System or device name, else the chassis.
    pub name: String,
    /// Everything else it said.
    pub about: String,
    /// The device that the frame came in on, where it is another than the one that dropped it.
    pub interface: Option<&'a str>,
}

impl<'a> Frames<'a> {
    /// Reads the samples of one drop key.
    pub(super) fn of(
        window: &'a Window<'_>,
        drops: &Drops,
        key: usize,
        link: Option<&'a Link>,
    ) -> Self {
        let mut frames = Self::default();
        let Some(count) = drops.counts.get(key) else {
            return frames;
        };
        let own = link.map_or_else(Vec::new, |link| own_addresses(window, link));
        // A VLAN device receives only its own VLAN's frames, and without the tag.
        let own_vlan = link.and_then(|link| link.vlan);
        frames.vlans.extend(own_vlan.map(|vlan| vlan.id));
        for sample in window.samples_of(key) {
            frames.add(window, link, &own, count.ethertype, sample);
        }
        if frames.protocols.is_empty() {
            let carried = Carried::EtherType(count.ethertype);
            frames.protocols.push(Protocol::of(carried, &[]));
        }
        frames
    }

    fn add(
        &mut self,
        window: &'a Window<'_>,
        link: Option<&Link>,
        own: &[Mac],
        ethertype: u16,
        sample: &PacketSample,
    ) {
        let frame = Frame::decode(&sample.bytes).filter(|_| sample.has_link_header);
        let (carried, payload) = match &frame {
            Some(frame) => (frame.carried, frame.payload),
            None => without_link_header(ethertype, sample),
        };
        push_new(
            &mut self.protocols,
            Protocol::of(carried, payload),
            MOST_PROTOCOLS,
        );
        if let (Carried::EtherType(ETH_P_SLOW), Some(subtype)) = (carried, payload.first()) {
            push_new(&mut self.slow_subtypes, *subtype, MOST_PROTOCOLS);
        }
        let tag = sample.vlan_tci.map(vlan_id);
        let tag = tag.or(frame.as_ref().and_then(|frame| frame.vlan));
        if let Some(vlan) = tag {
            push_new(&mut self.vlans, vlan, MOST_PROTOCOLS);
        }
        if let Some(frame) = &frame {
            self.seen += 1;
            push_new(&mut self.destinations, frame.destination, MOST_SENDERS);
            let to_one = !frame.destination.is_multicast();
            // Only __netif_receive_skb_core gives a group's frame to another host: when it finds no device for its
            // VLAN. It then forgets the tag.
            let to_others = sample.packet_type == PACKET_OTHERHOST;
            self.of_foreign_vlan |= !to_one && to_others && tag.is_none();
            let to_us = sample.packet_type == PACKET_HOST || own.contains(&frame.destination);
            self.for_us += usize::from(to_one && to_us);
        }
        let interface = link
            .filter(|link| link.ifindex != sample.skb_iif)
            .and_then(|link| window.topology.link(link.netns, sample.skb_iif))
            .map(|link| link.name.as_str());
        if let Some(sender) = sender(carried, payload, interface) {
            push_new(&mut self.senders, sender, MOST_SENDERS);
        }
    }

    /// Adds what the samples of another key say.
    pub(super) fn extend(&mut self, other: Self) {
        for protocol in other.protocols {
            push_new(&mut self.protocols, protocol, MOST_PROTOCOLS);
        }
        for sender in other.senders {
            push_new(&mut self.senders, sender, MOST_SENDERS);
        }
        for vlan in other.vlans {
            push_new(&mut self.vlans, vlan, MOST_PROTOCOLS);
        }
        for subtype in other.slow_subtypes {
            push_new(&mut self.slow_subtypes, subtype, MOST_PROTOCOLS);
        }
        for destination in other.destinations {
            push_new(&mut self.destinations, destination, MOST_SENDERS);
        }
        self.of_foreign_vlan |= other.of_foreign_vlan;
        self.seen += other.seen;
        self.for_us += other.for_us;
    }

    /// The protocol's name, or several that share a number.
    pub(super) fn name(&self) -> String {
        let names: Vec<&str> = self
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .collect();
        names.join(" and ")
    }

    /// The name of the protocol with this `skb->protocol`, where one finding has several.
    pub(super) fn name_of(&self, ethertype: u16) -> String {
        let number = format!("0x{ethertype:04X}");
        self.protocols
            .iter()
            .find(|protocol| protocol.number == number)
            .map_or_else(|| self.name(), |protocol| protocol.name.clone())
    }

    /// Sent to a group that no bridge forwards.
    pub(super) fn is_link_local(&self) -> bool {
        !self.destinations.is_empty()
            && self
                .destinations
                .iter()
                .all(|address| address.is_link_local())
    }

    /// Nobody misses frames of this protocol, even when they are sent to one host: wake-up calls to a host that is
    /// awake, and loop tests that a switch sends to itself.
    pub(super) fn is_harmless_by_protocol(&self) -> bool {
        !self.protocols.is_empty()
            && self
                .protocols
                .iter()
                .all(|protocol| matches!(protocol.name.as_str(), "Wake-on-LAN" | "loopback"))
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T, most: usize) {
    if list.len() < most && !list.contains(&item) {
        list.push(item);
    }
}

fn without_link_header(ethertype: u16, sample: &PacketSample) -> (Carried, &[u8]) {
    let at = usize::from(sample.network_offset.unwrap_or(0));
    let bytes = sample.bytes.get(at..).unwrap_or_default();
    if ethertype == ETH_P_802_2
        && let Some((carried, header)) = Carried::decode_llc(bytes)
    {
        return (carried, bytes.get(header..).unwrap_or_default());
    }
    (Carried::EtherType(ethertype), bytes)
}

/// Addresses under which frames are for this device: its own, those of the devices below (a bond's slaves) and those
/// of the devices above.
fn own_addresses(window: &Window<'_>, link: &Link) -> Vec<Mac> {
    let mut devices = window.topology.stack_below(link);
    devices.extend(window.topology.stack_above(link));
    devices
        .into_iter()
        .filter_map(|device| Mac::parse(device.address.as_deref()?))
        .collect()
}

fn sender<'a>(carried: Carried, payload: &[u8], interface: Option<&'a str>) -> Option<Sender<'a>> {
    if carried == Carried::EtherType(ETH_P_LLDP) {
        lldp_sender(Lldp::decode(payload)?, interface)
    } else if carried == protocols::CDP {
        cdp_sender(Cdp::decode(payload)?, interface)
    } else {
        None
    }
}

fn lldp_sender(announced: Lldp, interface: Option<&str>) -> Option<Sender<'_>> {
    let Lldp {
        chassis,
        port,
        port_description,
        system,
        time_to_live,
    } = announced;
    let name = system.or_else(|| chassis.as_ref().map(|id| id.value.clone()))?;
    let mut about = Vec::new();
    if let Some(port) = port {
        about.push(format!("port {}", port.described("interface name")));
    }
    if let Some(description) = port_description {
        about.push(format!("described as {description}"));
    }
    if let Some(chassis) = chassis {
        about.push(format!("chassis {}", chassis.described("MAC address")));
    }
    if let Some(seconds) = time_to_live {
        about.push(format!("TTL {seconds} s"));
    }
    Some(Sender {
        name,
        about: about.join("  "),
        interface,
    })
}

fn cdp_sender(announced: Cdp, interface: Option<&str>) -> Option<Sender<'_>> {
    let Cdp {
        device,
        port,
        platform,
    } = announced;
    let mut about = Vec::new();
    if let Some(port) = port {
        about.push(format!("port {port}"));
    }
    if let Some(platform) = platform {
        about.push(format!("platform {platform}"));
    }
    Some(Sender {
        name: device?,
        about: about.join("  "),
        interface,
    })
}
