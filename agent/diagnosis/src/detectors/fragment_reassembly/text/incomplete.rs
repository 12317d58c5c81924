//! The words about incomplete datagrams.

use super::{SHOWN, counters};
use crate::{
    detectors::{
        fragment_reassembly::incomplete::Incomplete,
        kit::{proof, say},
    },
    finding::{Proof, Text},
};

pub(crate) fn text(found: &Incomplete<'_>) -> Text {
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
            "The kernel waited for the missing fragments (net.ipv4.ipfrag_time, 30 s unless changed), then gave the \
             datagrams up with the {fragments} fragments that had come. {copies} The missing ones were lost before \
             this node's reassembly: on the network, at the sender, or at a filter that refuses fragments without \
             ports."
        ),
        hurts: format!(
            "{count} never arrived. One lost fragment costs its whole datagram, so large datagrams suffer many times \
             the loss of small ones."
        ),
    }
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
