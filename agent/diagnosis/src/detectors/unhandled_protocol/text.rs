//! The words about frames without a receiver.

pub(super) mod alike;
pub(super) mod remedies;

use super::judge::{Counter, Unreceived};
use crate::{
    Window,
    detectors::kit::{proof, say},
    evidence::{Link, LinkKind},
    finding::{Assessment, Proof, Text},
};

/// Columns that the names of neighbours may take of a headline; the details have them in full.
const LONGEST_SENDERS: usize = 20;

pub(super) fn text(window: &Window<'_>, found: &Unreceived<'_>, assessment: &Assessment) -> Text {
    Text {
        headline: headline(found),
        what: what(window, found),
        hurts: hurts(window, found, assessment),
    }
}

fn device(found: &Unreceived<'_>) -> String {
    match found.link {
        Some(link) => link.name.clone(),
        None => format!("a vanished device (index {})", found.ifindex),
    }
}

/// `3 frames in 35 s`.
fn rate(count: u64, duration_ms: u64) -> String {
    let seconds = (duration_ms / 1000).max(1);
    let frames = say::count(count, "frame");
    if count / seconds >= 2 {
        format!(
            "{frames} in {seconds} s, about {} a second",
            count / seconds
        )
    } else {
        format!("{frames} in {seconds} s")
    }
}

fn headline(found: &Unreceived<'_>) -> String {
    let (protocol, device) = (found.frames.name(), device(found));
    if let Some(bond) = found.inactive_slave_of {
        return format!(
            "{device} drops frames by design, harmless: it is a waiting port of {}",
            bond.name
        );
    }
    if found.is_for_us() {
        return format!("{device} drops {protocol} frames sent to it: no program listens for them");
    }
    if found.is_unseen() {
        return format!(
            "{device} drops {protocol} frames, none was sampled: for whom is not known"
        );
    }
    format!(
        "{protocol}{} is dropped on {device}, harmless: no program listens for it",
        senders(found)
    )
}

/// ` from leaf-3a and leaf-3b`, or nothing.
fn senders(found: &Unreceived<'_>) -> String {
    let senders = &found.frames.senders;
    let names: Vec<&str> = senders.iter().map(|sender| sender.name.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one, two] if one.len() + two.len() <= LONGEST_SENDERS => {
            format!(" from {one} and {two}")
        }
        [one] => format!(" from {}", shortened(one)),
        [one, others @ ..] => format!(" from {} and {} more", shortened(one), others.len()),
    }
}

fn what(window: &Window<'_>, found: &Unreceived<'_>) -> String {
    if let Some(bond) = found.inactive_slave_of {
        return format!(
            "{} receives through its active ports only. Copies that reach a waiting port are dropped and counted in \
             its rx_nohandler, which {}'s own counter includes.",
            bond.name, bond.name
        );
    }
    let senders: Vec<&str> = found
        .frames
        .senders
        .iter()
        .map(|sender| sender.name.as_str())
        .collect();
    let from = match senders.as_slice() {
        [] => String::new(),
        names => format!(" from {}", say::list(names)),
    };
    let mut text = if found.is_for_us() {
        format!(
            "A frame to the address of {} itself is meant for this node.",
            device(found)
        )
    } else {
        format!(
            "{}{from} is dropped on {}, because no program there listens for it.",
            found.frames.name(),
            device(found)
        )
    };
    if !found.is_counted() {
        text.push_str(
            " The kernel's 802.2 code drops the frames; no counter of the device shows it.",
        );
    }
    if found.handlers(window).is_some_and(|count| count > 0) {
        text.push_str(" A receiver is registered now; it may have started within the window.");
    }
    if found.link.is_some_and(is_bridged) {
        text.push_str(" A listener on the bridge above does not help: link-local groups are not handed on to it.");
    }
    text
}

fn hurts(window: &Window<'_>, found: &Unreceived<'_>, assessment: &Assessment) -> String {
    let rate = rate(found.tally.count, window.duration_ms);
    let meanings: Vec<&str> = found
        .frames
        .protocols
        .iter()
        .map(|protocol| protocol.meaning)
        .collect();
    let meaning = say::list(&meanings);
    if let Some(bond) = found.inactive_slave_of {
        let name = &bond.name;
        return format!(
            "Nobody: {rate}. {name} receives the same traffic through its active port."
        );
    }
    if found.is_for_us() {
        let (for_us, seen) = (found.frames.for_us, found.frames.seen);
        let part = say::part(assessment, "frame");
        return format!(
            "The sender gets no answer: {for_us} of {seen} sampled frames ({meaning}) went to the address of {} itself. \
             Lost of what came in: {part}.",
            device(found)
        );
    }
    if found.is_unseen() {
        return format!(
            "Not known: {rate}. Frames to a group or to another host nobody misses; frames to {} itself are lost.",
            device(found)
        );
    }
    format!("Nobody: {meaning}, not for a program of this node. {rate}.")
}

pub(super) fn details(found: &Unreceived<'_>) -> Vec<(&'static str, String)> {
    let mut details: Vec<(&'static str, String)> = Vec::new();
    for sender in &found.frames.senders {
        let on = sender
            .interface
            .map(|name| format!("  on {name}"))
            .unwrap_or_default();
        details.push(("Sender", format!("{}  {}{on}", sender.name, sender.about)));
    }
    for vlan in &found.frames.vlans {
        details.push((
            "Tag",
            match vlan {
                0 => "VLAN 0, a priority without a VLAN".to_owned(),
                vlan => format!("VLAN {vlan}"),
            },
        ));
    }
    if found.frames.of_foreign_vlan {
        let device = device(found);
        details.push(("Tag", format!("a VLAN that has no device on {device}")));
    }
    details
}

pub(super) fn proofs(window: &Window<'_>, found: &Unreceived<'_>) -> Vec<Proof> {
    let mut proofs = proof::drops(window, &found.tally);
    if let (Some(link), Some(counter)) = (found.link, found.counter(window)) {
        proofs.push(counter_proof(link, &counter));
    }
    if let Some(count) = found.handlers(window) {
        let types = found.keys.iter().map(|key| say::ethertype(key.ethertype));
        let types: Vec<String> = types.collect();
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        let what = format!(
            "handlers for {} or every protocol on {}",
            say::list(&types),
            say::list_with(&found.listening_devices(window), ", ")
        );
        proofs.push(Proof::new(what, count, "", "/proc/net/ptype"));
    }
    proofs
}

fn counter_proof(link: &Link, counter: &Counter<'_>) -> Proof {
    let Counter { name, increase, .. } = counter;
    let Some((slaves, inherited)) = &counter.inherited else {
        return proof::link_rose(link, name, *increase);
    };
    let names: Vec<&str> = slaves.iter().map(|slave| slave.name.as_str()).collect();
    let what = format!(
        "{} {name} +{increase}, of it inherited from {}",
        link.name,
        say::list(&names)
    );
    Proof::new(what, inherited, "packets", "netlink")
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST_SENDERS {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(LONGEST_SENDERS - 1).collect();
    short.push('…');
    short
}

fn is_bridged(link: &Link) -> bool {
    link.slave_kind == Some(LinkKind::Bridge)
}
