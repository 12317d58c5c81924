//! The advice of a row with the names of the place in it.

use std::net::IpAddr;

use crate::{
    Window,
    detectors::other_drop::{
        advice::{Advice, DESTINATION, DEVICE, SOURCE, Scope, Version},
        group::Group,
    },
    evidence::Namespace,
    finding::Remedy,
    packets::ip::IpPacket,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// The names that a command may need.
struct Names<'a> {
    device: Option<&'a str>,
    /// Source and destination of the sampled packets.
    ends: Vec<(IpAddr, IpAddr)>,
    has_v4: bool,
    has_v6: bool,
}

/// The remedies of a group, best first.
pub(in super::super) fn remedies(window: &Window<'_>, group: &Group<'_>) -> Vec<Remedy> {
    let tally = &group.drops.tally;
    let carries = |ethertype| tally.drops(window).any(|key| key.ethertype == ethertype);
    let packets = tally.samples(window).filter_map(IpPacket::of_sample);
    let names = Names {
        device: group.link.map(|link| link.name.as_str()),
        ends: packets
            .map(|packet| (packet.source, packet.destination))
            .collect(),
        has_v4: carries(ETH_P_IP),
        has_v6: carries(ETH_P_IPV6),
    };
    let advice = group.drops.row.map_or(&[][..], |row| row.advice);
    let fitting = advice.iter().filter(|advice| names.are_of(advice.version));
    fitting
        .map(|advice| {
            let namespace = match advice.scope {
                Scope::Namespace => Some(group.namespace),
                Scope::Node => window.node_namespace(),
            };
            remedy(advice, namespace, &names)
        })
        .collect()
}

/// The advice where the receiver ended within the window.
pub(in super::super) fn ended_remedy() -> Remedy {
    Remedy::advice(
        "Nothing, unless it goes on: then see which program or service still has the address.",
    )
}

impl Names<'_> {
    /// The packets are of this IP version, or of none that is known.
    fn are_of(&self, version: Version) -> bool {
        match version {
            Version::Any => true,
            Version::V4 => self.has_v4 || !self.has_v6,
            Version::V6 => self.has_v6,
        }
    }

    /// The ends of the first packet of this IP version.
    fn ends(&self, version: Version) -> Option<(IpAddr, IpAddr)> {
        let mut ends = self.ends.iter().copied();
        ends.find(|(_, destination)| match version {
            Version::Any => true,
            Version::V4 => destination.is_ipv4(),
            Version::V6 => destination.is_ipv6(),
        })
    }

    /// Every name that the command asks for is known.
    fn suffice_for(&self, advice: &Advice) -> bool {
        let asks_ends = advice.asks_for(SOURCE) || advice.asks_for(DESTINATION);
        let has_ends = self.ends(advice.version).is_some();
        (self.device.is_some() || !advice.asks_for(DEVICE)) && (has_ends || !asks_ends)
    }
}

fn remedy(advice: &Advice, namespace: Option<&Namespace>, names: &Names<'_>) -> Remedy {
    let Some(namespace) = namespace.filter(|_| names.suffice_for(advice)) else {
        return Remedy::advice(advice.text);
    };
    if advice.command.is_empty() {
        return Remedy::advice(advice.text);
    }
    let device = names.device.unwrap_or_default();
    let ends = names.ends(advice.version);
    let ends = ends.map(|(source, destination)| (source.to_string(), destination.to_string()));
    let (source, destination) = ends.unwrap_or_default();
    let words: Vec<String> = advice
        .command
        .iter()
        .map(|word| {
            let word = word.replace(DEVICE, device).replace(SOURCE, &source);
            word.replace(DESTINATION, &destination)
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let quoted: &[&str] = if advice.asks_for(DEVICE) {
        &[device]
    } else {
        &[]
    };
    Remedy::command_in(namespace, advice.text, &words, quoted)
}
