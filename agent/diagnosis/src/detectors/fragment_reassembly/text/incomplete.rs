//! The words about incomplete datagrams.

use super::{SHOWN, counters};
use crate::{
    Window,
    detectors::{
        fragment_reassembly::{fragments::Version, incomplete::Incomplete},
        kit::{proof, say},
    },
    finding::{Assessment, Proof, Text},
};

pub(crate) fn text(found: &Incomplete<'_>, assessment: &Assessment) -> Text {
    let Incomplete {
        datagrams,
        fragments,
        duplicates,
        ..
    } = *found;
    let place = match found.link {
        Some(link) => format!(" on {}", link.name),
        None => String::new(),
    };
    let flow = match found.flows.iter().collect::<Vec<_>>()[..] {
        [(source, destination)] => format!(" from {source} to {destination}"),
        _ => String::new(),
    };
    let count = say::count(datagrams, "datagram");
    let copies = match duplicates {
        0 => "No fragment came twice, so no copy is to blame.".to_owned(),
        count => format!(
            "{count} fragments came twice, on one interface; they explain fewer failures than there are."
        ),
    };
    Text {
        headline: format!("{count}{flow} stayed incomplete{place}: fragments were lost on the way"),
        what: format!(
            "The kernel waited for the missing fragments ({}, {} s unless changed), then gave up what was incomplete, with the \
             {fragments} fragments that had come. {copies} The missing ones were lost before this node's reassembly: on \
             the network, at the sender, or at a filter that refuses fragments without ports.",
            found.version.timeout(),
            found.version.timeout_ms() / 1_000
        ),
        hurts: format!(
            "{} never arrived. One lost fragment costs its whole datagram, so large datagrams suffer many times the \
             loss of small ones.",
            say::part(assessment, "fragmented datagram")
        ),
    }
}

pub(crate) fn may_be_open(window: &Window<'_>) -> String {
    let version = Version::V6;
    format!(
        "IPv6 fragments came, and an incomplete datagram is given up after {} ({} s unless changed): {} s can miss it",
        version.timeout(),
        version.timeout_ms() / 1_000,
        window.duration_ms / 1_000
    )
}

pub(crate) fn proofs(found: &Incomplete<'_>) -> Vec<Proof> {
    let mut proofs: Vec<Proof> = counters(found.namespace, found.version).collect();
    proofs.extend([
        proof::of_drop("fragments of datagrams that were given up", found.fragments),
        proof::of_drop("fragments that came twice", found.duplicates),
    ]);
    proofs
}

pub(crate) fn details(found: &Incomplete<'_>) -> Vec<(&'static str, String)> {
    let flows = found.flows.iter().take(SHOWN);
    flows
        .map(|(source, destination)| ("Flow", format!("{source} -> {destination}")))
        .collect()
}
