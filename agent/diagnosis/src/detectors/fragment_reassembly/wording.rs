//! Shared domains in words: the proof that they are, what collided, and what it costs.

pub(super) mod incomplete;

use std::net::IpAddr;

use super::{
    domains::{Domain, Seen},
    remains::{Ends, Place, Remains, Version},
    remedies,
    toll::Toll,
};
use crate::{
    detectors::promiscuity::chain::{listed, stack_below},
    evidence::{EvidenceWindow, Link, Namespace},
    finding::{Finding, Proof, Severity, Text},
};

/// As many flows as a person reads.
const SHOWN: usize = 3;

const COUNTERS: [&str; 4] = ["ReasmReqds", "ReasmOKs", "ReasmFails", "ReasmTimeout"];

pub(super) fn text(severity: Severity, domain: &Domain<'_>, toll: &Toll<'_>) -> Text {
    let names: Vec<&str> = domain.links.iter().map(|link| link.name.as_str()).collect();
    let names = listed(&names, " and ");
    let lost = toll.lost(domain);
    let flows = domain.fragmented_flows();
    let of_whom = match flows.as_slice() {
        [(source, group)] => format!(" from {source} to {group}"),
        _ => String::new(),
    };
    let what = match severity {
        Severity::Critical => format!("{} lost{of_whom}", lost.of("datagram")),
        Severity::Warning => format!("{} collided{of_whom}", toll.duplicates.of("fragment")),
        Severity::Info => "frames come in twice, nothing is lost".to_owned(),
    };
    Text {
        headline: format!("{names} are in one broadcast domain: {what}"),
        what: explanation(severity, domain, toll, &names),
        hurts: impact(severity, toll, domain),
    }
}

pub(super) fn describe(
    finding: &mut Finding,
    window: &EvidenceWindow,
    domain: &Domain<'_>,
    toll: &Toll<'_>,
) {
    let flows = domain.fragmented_flows();
    finding.evidence = proofs(window, domain, toll, &flows);
    finding.details = details(domain, &flows);
    finding.remedies = remedies::of_domain(window, finding, domain, toll);
}

fn explanation(severity: Severity, domain: &Domain<'_>, toll: &Toll<'_>, names: &str) -> String {
    let shared = match domain.seen {
        Seen::ComingIn => {
            let gap = domain.copies.iter().map(|copy| copy.longest_gap_us).max();
            format!(
                "{} came in on {names}, each within {} of its copy, and none of these devices hands frames on to \
                 another: they are connected to one network segment.",
                match domain.copied() {
                    1 => "1 frame".to_owned(),
                    count => format!("{count} frames"),
                },
                milliseconds(gap.unwrap_or(0)),
            )
        }
        Seen::Dropped => format!(
            "Fragments were dropped on one of {names} because their copy was there, and other parts of the same flow \
             on another: they seem to be connected to one network segment."
        ),
    };
    if severity == Severity::Info {
        let strays = if toll.strays.at_most > 0 {
            " Copies on an interface where no program has joined the group are dropped one by one, before reassembly."
        } else {
            ""
        };
        return format!("{shared}{strays}");
    }
    let queue = "The kernel puts the fragments of one datagram together in one queue, whatever interface they came in \
                 on. So the two copies of a datagram meet there: the fragment that completes it decides on which \
                 interface the datagram arrives, and what is left of the other copy opens a queue that never completes.";
    let early = if toll.wholes.at_most > 0 {
        " That happens before the kernel looks who has joined the group, since connection tracking (conntrack or NAT \
         rules) puts fragments together first: a datagram that arrives on the interface without a member is dropped \
         whole."
    } else {
        ""
    };
    format!("{shared} {queue}{early}")
}

fn impact(severity: Severity, toll: &Toll<'_>, domain: &Domain<'_>) -> String {
    let lost = toll.lost(domain);
    match severity {
        Severity::Critical if lost.at_least == lost.at_most => {
            format!("{} of programs on this node never arrived.", lost.of("datagram"))
        }
        Severity::Critical => format!(
            "{} of programs on this node never arrived; of up to {} that died whole, some may have had a copy that came \
             through.",
            lost.of("datagram"),
            lost.at_most
        ),
        Severity::Warning if lost.at_most > 0 => format!(
            "{} may be lost: so many died whole, and how many of them had a copy that came through is not known. \
             Ip.ReasmFails counts what is left of copies and says nothing about loss.",
            lost.of("datagram")
        ),
        Severity::Warning => {
            "No datagram was seen to be lost. Which copy completes a datagram is chance: when it is the one on the \
             interface without a member, the datagram is lost. Ip.ReasmFails counts what is left of copies."
                .to_owned()
        }
        Severity::Info if domain.has_receiver() == Some(false) => {
            "None: no program here has joined the group, so nobody misses what dies of it.".to_owned()
        }
        Severity::Info => "None now. Fragmented datagrams to a group get lost here once connection tracking is switched \
                           on, or collide once a program joins the group on both interfaces."
            .to_owned(),
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{} ms", microseconds.div_ceil(1_000).max(1))
}

fn name_of(domain: &Domain<'_>, ifindex: u32) -> String {
    let mut links = domain.links.iter();
    match links.find(|link| link.ifindex == ifindex) {
        Some(link) => link.name.clone(),
        None => format!("index {ifindex}"),
    }
}

fn proofs(
    window: &EvidenceWindow,
    domain: &Domain<'_>,
    toll: &Toll<'_>,
    flows: &[Ends],
) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for copy in domain.copies.iter().take(SHOWN) {
        let what = match (copy.fragments, copy.source, copy.destination) {
            (true, Some(source), Some(to)) => format!("fragments from {source} to {to}"),
            (false, Some(source), Some(to)) => format!("packets from {source} to {to}"),
            _ => format!("frames {:#06x}", copy.ethertype),
        };
        let (first, second) = (name_of(domain, copy.first), name_of(domain, copy.second));
        let gap = copy.longest_gap_us;
        let proof = match domain.seen {
            Seen::ComingIn => Proof::new(
                format!("{what}: on {first}, then on {second} within {gap} us"),
                copy.count,
                "frames",
                "netif_receive_skb",
            ),
            Seen::Dropped => Proof::new(
                format!("{what}: sampled drops of copies on {first} and of others on {second}"),
                copy.count,
                "packets",
                "kfree_skb",
            ),
        };
        proofs.push(proof);
    }
    if let Some(unreadable) = window.frame_copies.value().map(|seen| seen.unreadable)
        && unreadable > 0
    {
        let what = "frames not compared: their headers were outside the linear part";
        proofs.push(Proof::new(what, unreadable, "frames", "netif_receive_skb"));
    }
    proofs.extend(toll.remains.iter().map(|remains| proof_of(domain, remains)));
    let is_v6 = |(_, to): &Ends| to.is_ipv6();
    if flows.iter().any(|ends| !is_v6(ends)) {
        proofs.extend(counters(domain.namespace, Version::V4));
    }
    if flows.iter().any(is_v6) {
        proofs.extend(counters(domain.namespace, Version::V6));
    }
    proofs.extend(domain.links.iter().map(|link| filter_of(window, link)));
    proofs
}

fn proof_of(domain: &Domain<'_>, remains: &Remains<'_>) -> Proof {
    let key = remains.key;
    let what = match remains.place {
        Place::Reassembly => "fragments whose copy was there",
        Place::Routing if remains.wholes > 0 => "whole datagrams that nobody there joined for",
        Place::Routing => "fragments that nobody there joined for",
        Place::Expiry => "fragments of queues that were given up",
    };
    let device = match key.ifindex {
        0 => String::new(),
        ifindex => format!(", dev {}", name_of(domain, ifindex)),
    };
    let reason = key.reason.named().unwrap_or("dropped");
    Proof::new(
        format!("{what}: {reason} at {}{device}", key.location),
        key.count,
        "packets",
        "kfree_skb",
    )
}

fn counters(namespace: &Namespace, version: Version) -> Vec<Proof> {
    let read = COUNTERS.iter().filter_map(|name| {
        let name = version.counter(name);
        let rose = namespace.increase(&name)?;
        let unit = if name.ends_with("Reqds") {
            "fragments"
        } else {
            "datagrams"
        };
        Some(Proof::new(name, format!("+{rose}"), unit, "/proc/net/snmp"))
    });
    read.collect()
}

/// Whether an interface let everything in, and whether that matters.
fn filter_of(window: &EvidenceWindow, link: &Link) -> Proof {
    let filters = stack_below(window, link)
        .iter()
        .any(|device| device.filters_addresses());
    let kind = if filters {
        "filters by address unless it is"
    } else {
        "takes every frame anyway"
    };
    let name = format!("{} promiscuity ({kind})", link.name);
    Proof::new(name, link.promiscuity, "users", "netlink")
}

fn details(domain: &Domain<'_>, flows: &[Ends]) -> Vec<(&'static str, String)> {
    let mut details = vec![(
        "Shared",
        domain
            .links
            .iter()
            .map(|link| with_addresses(domain.namespace, link))
            .collect::<Vec<_>>()
            .join(", "),
    )];
    for (source, destination) in flows.iter().take(SHOWN) {
        let to = if is_group(*destination) {
            "Group"
        } else {
            "Receiver"
        };
        details.push((to, format!("{destination} from {source}")));
    }
    if flows.len() > SHOWN {
        details.push(("Group", format!("{} more", flows.len() - SHOWN)));
    }
    details
}

fn is_group(address: IpAddr) -> bool {
    address.is_multicast()
}

/// `eth1 (10.84.0.42/24)`.
fn with_addresses(namespace: &Namespace, link: &Link) -> String {
    let own = namespace.addresses.iter();
    let own: Vec<String> = own
        .filter(|address| address.ifindex == link.ifindex)
        .filter(|address| match address.address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        })
        .take(SHOWN)
        .map(|address| format!("{}/{}", address.address, address.prefix))
        .collect();
    match own.is_empty() {
        true => link.name.clone(),
        false => format!("{} ({})", link.name, own.join(", ")),
    }
}
