//! The words about frames that are dropped alike on many devices.

use super::{details, proofs};
use crate::{
    Window,
    detectors::{
        kit::{Tally, say},
        unhandled_protocol::judge::Unreceived,
    },
    finding::{Proof, Remedy, Text},
    kernel::hook,
};

pub(crate) fn text(protocol: &str, devices: usize, tally: &Tally) -> Text {
    let count = tally.count;
    Text {
        headline: format!(
            "{protocol} is dropped on {devices} virtual devices, harmless: no program listens for it"
        ),
        what: format!(
            "A broadcast reaches every pod on its bridge. No program in these namespaces listens for {protocol}, so \
             each of their devices counts the frame as dropped."
        ),
        hurts: format!(
            "Nobody: {} on {devices} devices.",
            say::count(count, "drop")
        ),
    }
}

/// The devices, and the details of the first.
pub(crate) fn all_details(
    window: &Window<'_>,
    all: &[Unreceived<'_>],
) -> Vec<(&'static str, String)> {
    let places = all.iter().map(|one| match one.link {
        Some(link) => say::device(link, window.namespace(link.netns)),
        None => "a vanished device".to_owned(),
    });
    let places: Vec<String> = places.collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let first = all.iter().take(1).flat_map(details);
    [("Where", say::list(&places))]
        .into_iter()
        .chain(first)
        .collect()
}

/// The facts about the first device, and the number of devices.
pub(crate) fn all_proofs(
    window: &Window<'_>,
    protocol: &str,
    all: &[Unreceived<'_>],
) -> Vec<Proof> {
    let first = all.iter().take(1).flat_map(|one| proofs(window, one));
    let what = format!("devices that dropped {protocol}");
    let number = Proof::new(what, all.len(), "devices", hook::KFREE_SKB);
    first.chain([number]).collect()
}

pub(crate) fn remedy() -> Remedy {
    Remedy::advice("Nothing to fix: leave benign drops out of the alert.")
}
