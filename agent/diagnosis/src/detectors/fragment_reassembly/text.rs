//! The words about shared domains: the proof that they are, what collided, and what it costs.

pub(super) mod incomplete;
pub(super) mod remedies;

use std::net::IpAddr;

use super::{
    collisions::{Collisions, Range},
    domain::{Domain, Ends, Seen},
    fragments::{FragmentDrops, Place, Version},
    judge::{Shared, State, Unplaced},
};
use crate::{
    Window,
    detectors::kit::{proof, say},
    evidence::{Link, Namespace},
    finding::{Assessment, Proof, Text},
    kernel::hook,
};

/// As many flows as a person reads.
const SHOWN: usize = 3;

const COUNTERS: [&str; 4] = ["ReasmReqds", "ReasmOKs", "ReasmFails", "ReasmTimeout"];

pub(super) fn text(shared: &Shared<'_>, assessment: &Assessment) -> Text {
    let Shared {
        domain, collisions, ..
    } = shared;
    let names: Vec<&str> = domain.links.iter().map(|link| link.name.as_str()).collect();
    let names = say::list(&names);
    let of_whom = match domain.fragmented_flows().as_slice() {
        [(source, group)] => format!(" from {source} to {group}"),
        _ => String::new(),
    };
    let happens = match shared.state {
        State::Lost => format!("{} lost{of_whom}", range(shared.lost, "datagram")),
        State::Collided | State::Uncertain => {
            let fragments = range(collisions.duplicates, "fragment");
            format!("{fragments} collided{of_whom}")
        }
        State::Copied => "frames come in twice, harmless".to_owned(),
    };
    Text {
        headline: format!("{names} are in one broadcast domain: {happens}"),
        what: what(shared, &names),
        hurts: hurts(shared, assessment),
    }
}

/// `20 datagrams`, `at least 3 datagrams`, `up to 20 datagrams`.
fn range(range: Range, noun: &str) -> String {
    match (range.at_least, range.at_most) {
        (least, most) if least == most => say::count(most, noun),
        (0, most) => format!("up to {}", say::count(most, noun)),
        (least, _) => format!("at least {}", say::count(least, noun)),
    }
}

fn what(shared: &Shared<'_>, names: &str) -> String {
    let Shared {
        domain, collisions, ..
    } = shared;
    let copies = match domain.seen {
        Seen::ComingIn => {
            let gap = domain.copies.iter().map(|copy| copy.longest_gap_us).max();
            format!(
                "{} came in on {names}, each within {} of its copy, and none of these devices hands frames on to \
                 another: they are connected to one network segment.",
                say::count(domain.copied(), "frame"),
                milliseconds(gap.unwrap_or(0)),
            )
        }
        Seen::Dropped => format!(
            "Fragments were dropped on one of {names} because their copy was there, and other parts of the same flow \
             on another: these devices seem to be connected to one network segment."
        ),
    };
    if shared.state == State::Copied {
        let strays = if collisions.strays.at_most > 0 {
            " Copies on an interface where no program has joined the group are dropped one by one, before reassembly."
        } else {
            ""
        };
        return format!("{copies}{strays}");
    }
    let queue = "The kernel puts the fragments of one datagram together in one queue, whatever interface they came in \
                 on. The two copies of a datagram meet there: the fragment that completes it decides on which \
                 interface the datagram arrives, and what is left of the other copy opens a queue that never \
                 completes.";
    let early = if collisions.wholes.at_most > 0 {
        " That happens before the kernel looks who has joined the group, because connection tracking (conntrack or NAT \
         rules) puts fragments together first: a datagram that arrives on the interface without a member is dropped \
         whole."
    } else {
        ""
    };
    format!("{copies} {queue}{early}")
}

fn hurts(shared: &Shared<'_>, assessment: &Assessment) -> String {
    let lost = shared.lost;
    let part = say::part(assessment, "datagram");
    let whose = "The programs of this node that joined the group";
    match shared.state {
        State::Lost if lost.at_least == lost.at_most => {
            format!("{whose}: {part} never arrived.")
        }
        State::Lost => format!(
            "{whose}: {part} at least never arrived; of up to {} that died whole, some may have had a copy that came \
             through.",
            lost.at_most
        ),
        State::Uncertain if lost.at_most > 0 => format!(
            "Not known: {} may be missed. So many died whole, and how many of them had a copy that came through is not \
             known. Ip.ReasmFails counts what is left of copies and does not tell.",
            range(lost, "datagram")
        ),
        State::Uncertain => "Not known: fewer datagrams were completed than collided, or the counter was not read. \
                             Ip.ReasmFails counts what is left of copies and does not tell."
            .to_owned(),
        State::Collided => "Nobody so far: no fewer datagrams were completed than collided. Which copy completes a \
                            datagram is chance; the programs miss it when that is the copy on the interface without a \
                            member. Ip.ReasmFails counts what is left of copies."
            .to_owned(),
        State::Copied if shared.domain.has_receiver() == Some(false) => {
            "Nobody: no program here has joined the group.".to_owned()
        }
        State::Copied => "Nobody now. Fragmented datagrams to a group collide here once connection tracking is \
                           switched on, or once a program joins the group on both interfaces."
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

pub(super) fn proofs(window: &Window<'_>, shared: &Shared<'_>) -> Vec<Proof> {
    let Shared {
        domain, collisions, ..
    } = shared;
    let flows = domain.fragmented_flows();
    let mut proofs = Vec::new();
    for copy in domain.copies.iter().take(SHOWN) {
        let what = match (copy.fragments, copy.source, copy.destination) {
            (true, Some(source), Some(to)) => format!("fragments from {source} to {to}"),
            (false, Some(source), Some(to)) => format!("packets from {source} to {to}"),
            _ => format!("frames {}", say::ethertype(copy.ethertype)),
        };
        let (first, second) = (name_of(domain, copy.first), name_of(domain, copy.second));
        let gap = copy.longest_gap_us;
        let proof = match domain.seen {
            Seen::ComingIn => Proof::new(
                format!("{what}: on {first}, then on {second} within {gap} us"),
                copy.count,
                "frames",
                hook::NETIF_RECEIVE_SKB,
            ),
            Seen::Dropped => proof::of_drop(
                format!("{what}: sampled drops of copies on {first} and of others on {second}"),
                copy.count,
            ),
        };
        proofs.push(proof);
    }
    if let Some(unreadable) = window.frame_copies.value().map(|seen| seen.unreadable)
        && unreadable > 0
    {
        let what = "frames not compared: their headers were outside the linear part";
        proofs.push(Proof::new(
            what,
            unreadable,
            "frames",
            hook::NETIF_RECEIVE_SKB,
        ));
    }
    proofs.extend(collisions.drops.iter().map(|one| proof_of(window, one)));
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

fn proof_of(window: &Window<'_>, one: &FragmentDrops<'_>) -> Proof {
    let what = match one.place {
        Place::Reassembly => "fragments whose copy was there",
        Place::Routing if one.wholes > 0 => "whole datagrams that nobody there joined for",
        Place::Routing => "fragments that nobody there joined for",
        Place::Expiry => "fragments of queues that were given up",
    };
    let key = proof::key_name(window, one.key);
    proof::of_drop(format!("{what}: {key}"), one.key.count)
}

fn counters(namespace: &Namespace, version: Version) -> impl Iterator<Item = Proof> {
    COUNTERS.iter().filter_map(move |name| {
        let unit = if name.ends_with("Reqds") {
            "fragments"
        } else {
            "datagrams"
        };
        proof::counter_rose(namespace, &version.counter(name), unit)
    })
}

/// The promiscuity of an interface, and the effect of it.
fn filter_of(window: &Window<'_>, link: &Link) -> Proof {
    let filters = window
        .topology
        .stack_below(link)
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

/// The packets that nobody could look at.
pub(super) fn unseen(collisions: &Collisions<'_>) -> Option<(&'static str, String)> {
    let text = format!(
        "too few of {} could be looked at, so some may have been datagrams that nobody got",
        say::count(collisions.unseen, "dropped packet")
    );
    (collisions.unseen > 0).then_some(("Not seen", text))
}

pub(super) fn details(domain: &Domain<'_>) -> Vec<(&'static str, String)> {
    let flows = domain.fragmented_flows();
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
        let to = if destination.is_multicast() {
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

pub(super) fn unplaced(found: Unplaced) -> String {
    let why = match found {
        Unplaced::Unwatched => "was not watched meanwhile".to_owned(),
        Unplaced::Unreadable(frames) => format!(
            "could not be seen of {frames} frames whose headers were outside the linear part"
        ),
    };
    format!("fragments came twice; whether on two interfaces {why}")
}
