//! The words about neighbours.

use std::net::IpAddr;

use super::{
    Version,
    table_full::FullTable,
    unanswered::{Apart, Role, Unanswered},
};
use crate::{
    Window,
    detectors::kit::say,
    evidence::{LimitsIn, LinkKind},
    finding::{Harm, Proof, Remedy, Subject, Text},
};

/// The request by which tables are read.
const TABLES: &str = "netlink";
/// Devices of one finding.
const PLACES_SHOWN: usize = 4;

impl Version {
    fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The table by the kernel's name.
    fn cache(self) -> &'static str {
        match self {
            Self::V4 => "arp_cache",
            Self::V6 => "ndisc_cache",
        }
    }

    fn limit(self) -> &'static str {
        match self {
            Self::V4 => "net.ipv4.neigh.default.gc_thresh3",
            Self::V6 => "net.ipv6.neigh.default.gc_thresh3",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }

    fn resolution(self) -> &'static str {
        match self {
            Self::V4 => "ARP",
            Self::V6 => "neighbour discovery",
        }
    }
}

pub(super) fn full_table(window: &Window<'_>, full: &FullTable<'_>) -> Text {
    let packets = say::count(full.tally.count, "packet");
    let (name, limit) = (full.version.name(), full.table.gc_thresh3);
    let seen = say::seen(&full.assessment);
    let headline = match full.assessment.harm {
        Harm::Outage => format!(
            "The {name} neighbour table is full ({} entries, limit {limit}): {packets} to new neighbours refused",
            full.table.entries
        ),
        _ => format!(
            "The {name} neighbour table was full for a while (limit {limit}): {packets} to new neighbours lost"
        ),
    };
    let hurts = match full.assessment.harm {
        Harm::Outage => format!(
            "No host, pod or gateway that is not in the table yet can be reached: {packets} refused{}.{seen}",
            say::within(window)
        ),
        _ => format!("{} were lost.{seen}", say::part(&full.assessment, "packet")),
    };
    Text {
        headline,
        what: "The kernel needs an entry for each neighbour that it sends to. One table holds those of the node and of all \
               pods, and it makes no new entry once gc_thresh3 of them are there (permanent and externally learned ones \
               do not count)."
            .to_owned(),
        hurts,
    }
}

pub(super) fn table_proofs(full: &FullTable<'_>) -> Vec<Proof> {
    let cache = full.version.cache();
    let of = |what: &str, value: String, unit| {
        Proof::new(format!("{what} of {cache}"), value, unit, TABLES)
    };
    vec![
        of("table_fulls", format!("+{}", full.table.table_fulls), ""),
        of("entries", full.table.entries.to_string(), "neighbours"),
        of(
            "gc_thresh3",
            full.table.gc_thresh3.to_string(),
            "neighbours",
        ),
    ]
}

/// The devices that the refused packets were to go out by.
pub(super) fn places(full: &FullTable<'_>) -> Vec<(&'static str, String)> {
    let shown = full.places.iter().take(PLACES_SHOWN);
    let lines = shown.map(|(namespace, link, count)| {
        let subject = Subject::of_place(*link, Some(namespace));
        let packets = say::count(*count, "packet");
        ("Refused", format!("{packets} {}", say::place(&subject)))
    });
    lines.collect()
}

/// Only the kernel's first namespace has the limit: the command enters it where the node's own is another one.
pub(super) fn table_remedies(full: &FullTable<'_>) -> Vec<Remedy> {
    let (limit, old) = (full.version.limit(), full.table.gc_thresh3);
    let new = old.saturating_mul(2);
    let look = Remedy::command(
        "See which device has so many neighbours, and whether something scans.",
        &["ip", full.version.option(), "neigh", "show"],
        &[],
    );
    let enter: &[&str] = match full.limits_in {
        LimitsIn::Node => &[],
        LimitsIn::FirstProcess => &["nsenter", "--net=/proc/1/ns/net"],
        LimitsIn::Elsewhere => {
            let text = format!(
                "This node is a container: set {limit}={new} (it is {old}) on the machine that it runs on."
            );
            return vec![Remedy::advice(text), look];
        }
    };
    let set = |value: u32| {
        let setting = format!("{limit}={value}");
        let words = [enter, &["sysctl", "-w", &setting]].concat();
        Remedy::command("Let the table hold twice as many.", &words, &[])
    };
    let change = set(new)
        .undone_by(set(old))
        .with_effect("about 0.5 KiB of kernel memory for each further neighbour")
        .lasting(format!("{limit} = {new} in a file of /etc/sysctl.d"));
    vec![change, look]
}

pub(super) fn unanswered(window: &Window<'_>, silent: &Unanswered<'_>, subject: &Subject) -> Text {
    let packets = packets(silent);
    let place = say::place(subject);
    let addresses: Vec<String> = silent.addresses.iter().map(IpAddr::to_string).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (names, verb) = match addresses.len() {
        1 => (say::list(&addresses), "does"),
        _ => (say::list(&addresses), "do"),
    };
    let holder = silent
        .holder
        .map(|(namespace, link)| say::device(link, Some(namespace)));
    let headline = match silent.role {
        Role::Unseen => format!("A neighbour did not answer: {packets} dropped {place}"),
        Role::NextHop => {
            format!("The next hop to {names} does not answer: {packets} dropped {place}")
        }
        Role::KeptApart(_) => format!(
            "{names} {verb} not answer, and cannot: {} keeps it apart, {packets} dropped {place}",
            kind(silent)
        ),
        _ => format!("{names} {verb} not answer: {packets} dropped {place}"),
    };
    Text {
        headline,
        what: what(silent, holder.as_deref()),
        hurts: hurts(window, silent, &packets),
    }
}

fn packets(silent: &Unanswered<'_>) -> String {
    let packets = say::count(silent.tally.count, "packet");
    match (silent.has_others, silent.addresses.len()) {
        (false, _) => packets,
        (true, 1) => format!("{packets} for this and other neighbours"),
        (true, _) => format!("{packets} for these and other neighbours"),
    }
}

/// The kind of the device that shares another one: `macvlan`, `ipvlan`.
fn kind(silent: &Unanswered<'_>) -> String {
    let link = match silent.role {
        Role::KeptApart(Apart::Child) => silent.holder.map(|(_, link)| link),
        _ => silent.link,
    };
    let kind = link.and_then(|link| link.kind.as_ref());
    kind.map_or_else(|| "macvlan".to_owned(), LinkKind::to_string)
}

fn what(silent: &Unanswered<'_>, holder: Option<&str>) -> String {
    let waited = format!(
        "Packets for a neighbour wait for its link layer address ({}) until the kernel gives up.",
        silent.version.resolution()
    );
    let device = silent.link.map_or("that device", |link| link.name.as_str());
    let holder = holder.unwrap_or("a device of this node");
    let who = match silent.role {
        Role::KeptApart(Apart::Child) => format!(
            " {holder} is of the kind {0} and on {device}: what {device} itself sends goes to the wire and never to the \
             devices on top of it. A node and its own {0} pods cannot talk, by design.",
            kind(silent)
        ),
        Role::KeptApart(Apart::Lower) => format!(
            " {device} is of the kind {0}, and {holder} lies below it: what {device} sends passes that device's own stack \
             and goes to the wire. A pod with {0} and its own node cannot talk, by design.",
            kind(silent)
        ),
        Role::KeptApart(Apart::Private) => format!(
            " {device} and {holder} are macvlan devices on one device, and one is in private mode: they cannot talk, as \
             it was set."
        ),
        Role::Held => format!(" {holder} has that address."),
        Role::TunnelRemote => " The packets are a tunnel's: what it carries is lost.".to_owned(),
        Role::NextHop => {
            " The packets go beyond this network, so that a router, or the host that a route names, is silent.".to_owned()
        }
        Role::Nobody | Role::Unseen => String::new(),
    };
    waited + &who
}

fn hurts(window: &Window<'_>, silent: &Unanswered<'_>, packets: &str) -> String {
    let (within, seen) = (say::within(window), say::seen(&silent.assessment));
    let is_towards_nobody = silent.assessment.is_towards_nobody;
    if silent.assessment.is_decision() {
        return format!("As it is meant to: {packets} refused{within}.{seen}");
    }
    match silent.assessment.harm {
        Harm::Outage if is_towards_nobody && silent.role == Role::Nobody => format!(
            "Those who send to it: no device of this node has that address, and nobody answers for it. {packets}{within}.{seen}"
        ),
        Harm::Outage if is_towards_nobody => format!(
            "Nobody any more: the device that they were sent into has gone away. {packets}{within}.{seen}"
        ),
        Harm::Outage => {
            format!("Nothing gets through to that neighbour: {packets} lost{within}.{seen}")
        }
        _ => format!("Not known, because no packet was seen: {packets}{within}."),
    }
}

pub(super) fn neighbour_proofs(window: &Window<'_>, silent: &Unanswered<'_>) -> Vec<Proof> {
    let Role::KeptApart(_) = silent.role else {
        return Vec::new();
    };
    let links = [silent.link, silent.holder.map(|(_, link)| link)];
    let upper = links.into_iter().flatten().filter_map(|link| {
        let (netns, ifindex) = link.lower_id()?;
        let lower = &window.topology.link(netns, ifindex)?.name;
        let value = match &link.macvlan {
            Some(macvlan) => format!("on {lower}, mode {}", macvlan.mode),
            None => format!("on {lower}"),
        };
        let name = format!("{} of {}", link.kind.as_ref()?, link.name);
        Some(Proof::new(name, value, "", TABLES))
    });
    upper.collect()
}

pub(super) fn neighbour_remedies(silent: &Unanswered<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if let Role::KeptApart(_) = silent.role {
        remedies.push(Remedy::advice(
            "If the node must reach such pods, give it a device of that kind of its own on the same device (macvlan: in bridge \
             mode), and route the pods' addresses by it.",
        ));
    }
    let Some(link) = silent.link else {
        return remedies;
    };
    let name = link.name.as_str();
    let option = silent.version.option();
    remedies.push(Remedy::command_in(
        silent.namespace,
        "See which addresses do not answer.",
        &["ip", option, "neigh", "show", "dev", name, "nud", "failed"],
        &[name],
    ));
    if silent.role == Role::NextHop {
        remedies.push(Remedy::command_in(
            silent.namespace,
            "See which router the route names.",
            &["ip", option, "route", "show", "dev", name],
            &[name],
        ));
    }
    remedies
}
