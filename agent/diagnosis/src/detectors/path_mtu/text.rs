//! The words about packets that are longer than the way onward takes.

use super::{fate::Kind, judge::TooLong, sender::Sender};
use crate::{
    Window,
    detectors::kit::{
        change::{part_of_table_name, set_mtu},
        proof, say,
    },
    finding::{Acts, Proof, Remedy, Text},
    kernel::hook,
};

/// Headers of IP and TCP without options, bytes: what an MSS leaves out of an MTU.
const HEADERS_V4: u32 = 40;
const HEADERS_V6: u32 = 60;
/// Senders that are named, each with its command.
const SENDERS: usize = 4;
/// The least MSS that every host takes (RFC 879).
const LEAST_MSS: u32 = 536;

pub(super) fn text(window: &Window<'_>, too_long: &TooLong<'_>) -> Text {
    let words = Words { window, too_long };
    Text {
        headline: words.headline(),
        what: words.what(),
        hurts: words.hurts(),
    }
}

struct Words<'a> {
    window: &'a Window<'a>,
    too_long: &'a TooLong<'a>,
}

impl Words<'_> {
    fn packets(&self) -> String {
        say::count(self.too_long.tally.count, "packet")
    }

    /// `tun0 (MTU 1450)`, `tun0 by its route (MTU 1400)`, `the way by tun0 (MTU 1380)`, `the way onward`.
    fn way(&self) -> String {
        let way = self.too_long.way;
        let device = match way.device {
            Some(device) => say::device(device, Some(self.too_long.namespace)),
            None => "the way onward".to_owned(),
        };
        match (way.is_of_route, way.mtu) {
            (true, Some(mtu)) => format!("{device} by its route (MTU {mtu})"),
            (false, Some(mtu)) if way.device.is_some() && !way.is_as_its_device() => {
                format!("the way by {device} (MTU {mtu})")
            }
            (false, Some(mtu)) => format!("{device} (MTU {mtu})"),
            (_, None) => device,
        }
    }

    /// `pod shop/cart-0 (MTU 1500)`, with the number of further ones.
    fn senders(&self) -> Option<String> {
        let (first, others) = self.too_long.senders.split_first()?;
        let first = format!(
            "{} (MTU {})",
            say::namespace(first.namespace),
            first.link.mtu
        );
        Some(say::and_others(&first, others.len(), "sender"))
    }

    fn headline(&self) -> String {
        let (way, packets) = (self.way(), self.packets());
        let from = match self.senders() {
            Some(senders) => format!(" from {senders}"),
            None => String::new(),
        };
        match self.too_long.fate.kind {
            Kind::Dead => format!(
                "Path MTU black hole: {packets}{from} too long for {way} dropped, again and again"
            ),
            Kind::Stubborn => {
                format!(
                    "Path MTU black hole: {packets}{from} of one length too long for {way} dropped"
                )
            }
            Kind::Unheard => format!(
                "Path MTU black hole: {packets}{from} too long for {way} dropped, and the sender does not learn of it"
            ),
            Kind::Told => format!("{packets}{from} did not fit {way}, and the sender was told"),
            Kind::Open => format!("{packets}{from} dropped, too long for {way}"),
        }
    }

    fn what(&self) -> String {
        let longest = match self.too_long.sizes {
            Some((_, longest)) => format!(" The longest that was seen had {longest} bytes."),
            None => String::new(),
        };
        let learn = match self.too_long.fate.kind {
            Kind::Told => "The sender was told by ICMP, and sends shorter ones.".to_owned(),
            _ if self.too_long.answers.seen > 0 && !self.too_long.fate.are_none_told => {
                "Some of the ICMP errors that tell senders so were dropped on this node.".to_owned()
            }
            _ if self.too_long.answers.seen > 0 => {
                "The ICMP error that tells the sender so was dropped on this node: the sender never learns which length \
                 would pass."
                    .to_owned()
            }
            Kind::Dead | Kind::Unheard => {
                "The kernel tells the sender so by ICMP, and the sender goes on as if nothing had told it: the error \
                 gets lost behind this node, or the sender ignores it."
                    .to_owned()
            }
            Kind::Stubborn => {
                "The kernel tells the sender so by ICMP, and the sender goes on with the same length.".to_owned()
            }
            Kind::Open => "The kernel tells the sender so by ICMP.".to_owned(),
        };
        format!(
            "{}, and longer ones that must not be cut are dropped.{longest} {learn}",
            self.takes()
        )
    }

    /// `tun0 takes packets up to its MTU of 1450 bytes`.
    fn takes(&self) -> String {
        let way = self.too_long.way;
        match (way.device, way.mtu) {
            (Some(device), Some(mtu)) if way.is_as_its_device() && !way.is_of_route => {
                format!("{} takes packets up to its MTU of {mtu} bytes", device.name)
            }
            (Some(device), Some(mtu)) => {
                format!("The way by {} takes packets up to {mtu} bytes", device.name)
            }
            (None, Some(mtu)) => format!("The way onward takes packets up to {mtu} bytes"),
            (_, None) => "The way onward takes shorter packets".to_owned(),
        }
    }

    fn hurts(&self) -> String {
        let assessment = &self.too_long.fate.assessment;
        let (packets, within) = (self.packets(), say::within(self.window));
        let seen = say::seen(assessment);
        match self.too_long.fate.kind {
            Kind::Dead => format!(
                "These connections open, and hang with the first full segment: {packets} dropped{within}, the same data \
                 sent again and again.{seen}"
            ),
            Kind::Stubborn => format!(
                "No packet of that length gets through, however often it is sent: {packets} dropped{within}.{seen}"
            ),
            Kind::Unheard => format!(
                "What these flows send in full packets does not get through: {packets} dropped{within}.{seen}"
            ),
            Kind::Told => format!(
                "Nobody: TCP sends the data again in shorter segments. {packets} dropped{within}, each segment once.{seen}"
            ),
            Kind::Open => format!(
                "Not known: a sender that hears the ICMP error sends shorter packets. {packets} dropped{within}.{seen}"
            ),
        }
    }
}

pub(super) fn proofs(window: &Window<'_>, too_long: &TooLong<'_>) -> Vec<Proof> {
    let mut proofs = Vec::new();
    if let Some(sizes) = too_long.sizes {
        let sizes = match sizes {
            (shortest, longest) if shortest == longest => shortest.to_string(),
            (shortest, longest) => format!("{shortest} to {longest}"),
        };
        let name = "sizes of sampled lost packets, with the IP header";
        proofs.push(Proof::new(name, sizes, "bytes", hook::KFREE_SKB));
    }
    let way = too_long.way;
    if let Some(device) = way.device {
        proofs.push(proof::setting(
            device, "MTU", device.mtu, "bytes", "netlink",
        ));
    }
    if let Some(mtu) = way.mtu.filter(|_| way.is_of_route) {
        proofs.push(Proof::new(
            "MTU of the packets' route",
            mtu,
            "bytes",
            hook::KFREE_SKB,
        ));
    }
    for sender in too_long.senders.iter().take(SENDERS) {
        let name = format!(
            "MTU of {}",
            say::device(sender.link, Some(sender.namespace))
        );
        proofs.push(Proof::new(name, sender.link.mtu, "bytes", "netlink"));
    }
    let answers = &too_long.answers;
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let place = answers.key.and_then(|key| counts.get(key));
    if let Some(place) = place {
        let mtu = match answers.mtu {
            Some(mtu) => format!(" (MTU {mtu})"),
            None => String::new(),
        };
        let name = format!(
            "sampled ICMP errors about these packets{mtu} that died: {}",
            proof::key_name(window, place)
        );
        proofs.push(proof::of_drop(name, answers.seen));
    }
    proofs
}

/// Ordered, best first. A packet that nobody misses needs no act.
pub(super) fn remedies(window: &Window<'_>, too_long: &TooLong<'_>) -> Vec<Remedy> {
    if too_long.fate.kind == Kind::Told {
        return Vec::new();
    }
    let mut remedies: Vec<Remedy> = Vec::new();
    if too_long.fate.kind != Kind::Open
        && let Some(mtu) = too_long.way.mtu
    {
        remedies.extend(clamp(too_long, mtu));
        let senders = too_long.senders.iter().filter(|sender| sender.takes(mtu));
        let senders = senders.take(SENDERS);
        remedies.extend(senders.map(|sender| lower(window, sender, mtu)));
    }
    if remedies.is_empty() {
        remedies.extend(look(too_long));
    }
    remedies.push(Remedy::advice(match too_long.answers.refused_by[..] {
        [] => "See that ICMP errors of this kind (fragmentation needed, packet too big) reach the sender.",
        _ => {
            "Let ICMP errors of this kind (fragmentation needed, packet too big) pass the rule that drops them: then \
             senders shorten their packets by themselves."
        }
    }));
    remedies
}

fn lower(window: &Window<'_>, sender: &Sender<'_>, mtu: u32) -> Remedy {
    let place = say::device(sender.link, Some(sender.namespace));
    let text = format!("Give the sender's device {place} the MTU of the way onward.");
    let effect = format!(
        "connections that hang go on with their next try; everything that it sends is at most {mtu} bytes long"
    );
    let peer = window.topology.veth_peer(sender.link);
    let effect = match peer.filter(|peer| peer.mtu > mtu) {
        Some(peer) => format!(
            "{effect}; packets to it that are longer than {mtu} bytes (open connections, UDP) are dropped at {} from then \
             on, without an ICMP error",
            say::device(peer, window.namespace(peer.netns))
        ),
        None => effect,
    };
    set_mtu(sender.link, sender.namespace, &text, mtu)
        .with_effect(effect)
        .lasting(match sender.namespace.pod {
            Some(_) => format!(
                "mtu {mtu} in the network plugin's configuration, for pods that start later"
            ),
            None => format!("MTUBytes={mtu} in [Link] of a .link file"),
        })
}

/// Both directions are clamped: what comes in by the device tells the sender here how long its segments may be.
fn clamp(too_long: &TooLong<'_>, mtu: u32) -> Option<Remedy> {
    let device = too_long.way.device?;
    let is_tcp = too_long.fate.kind == Kind::Dead;
    let (family, headers) = match too_long.is_ipv6 {
        true => ("ip6", HEADERS_V6),
        false => ("ip", HEADERS_V4),
    };
    let size = mtu
        .checked_sub(headers)
        .filter(|size| *size >= LEAST_MSS && is_tcp)?;
    let name = device.name.as_str();
    let table = format!("mss_{}", part_of_table_name(name));
    let rule = |direction: &str| {
        format!(
            "{direction} \"{name}\" tcp flags & (syn|rst) == syn tcp option maxseg size set {size}; "
        )
    };
    let rules = format!(
        "table {family} {table} {{ chain forward {{ type filter hook forward priority -150; {}{}}}; }}",
        rule("iifname"),
        rule("oifname")
    );
    let namespace = too_long.namespace;
    let undo = ["nft", "delete", "table", family, &table];
    let undo = Remedy::command_in(namespace, "", &undo, &[name]);
    let text = format!(
        "Limit the segments of TCP through {name} to {mtu} bytes with headers (MSS {size}), of all senders."
    );
    Some(
        Remedy::command_in(namespace, text, &["nft", &rules], &[name])
            .with_effect(format!(
                "new connections through {name} send segments of at most {size} bytes; those that hang stay so, and UDP \
                 is not helped"
            ))
            .undone_by(undo)
            .acting(Acts::NextSocket)
            .lasting("the same rules in /etc/nftables.conf, or the MTU in the network plugin's configuration"),
    )
}

fn look(too_long: &TooLong<'_>) -> Option<Remedy> {
    let (source, destination) = too_long.first?;
    let [source, destination] = [source, destination].map(|address| address.to_string());
    let mut words = vec!["ip", "route", "get", &destination];
    let names: Vec<&str> = too_long
        .ingress
        .iter()
        .map(|link| link.name.as_str())
        .collect();
    if let [ingress] = names[..] {
        words.extend(["from", &source, "iif", ingress]);
    }
    let text = "See the way onward and its MTU (mtu of the route, else of its device).";
    Some(Remedy::command_in(too_long.namespace, text, &words, &names))
}
