//! A table of neighbours that had no room for a new one.

use std::collections::BTreeMap;

use super::Version;
use crate::{
    Window,
    detectors::kit::{Tally, harm, unclaimed},
    evidence::{DropCount, LimitsIn, Link, Namespace, NeighbourTable, NetnsId},
    finding::{Assessment, Confidence, Culprit, Harm, Outcome},
    kernel::{Reason, site},
};

/// Fewer refusals do not tell a table that is full from one that was so for a moment.
const REFUSALS: u64 = 3;
/// Milliseconds before the window's end in which a table that is still full refuses. The number of entries does not
/// tell it: permanent and externally learned ones are in it, and the limit does not count them (`neigh_alloc`).
const STILL: u64 = 5_000;

/// Packets that found a table full.
pub(super) struct FullTable<'a> {
    pub(super) version: Version,
    pub(super) table: NeighbourTable,
    pub(super) limits_in: LimitsIn,
    /// The devices that the packets were to go out by, with their number; the most first.
    pub(super) places: Vec<(&'a Namespace, Option<&'a Link>, u64)>,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

/// The tables that refused new entries. A packet whose entry could not be made for another reason (its device went down,
/// no memory was left) raises no `table_fulls`, and is none of theirs.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<FullTable<'a>> {
    let Some(tables) = window.neighbour_tables.value() else {
        return Vec::new();
    };
    let of = |version: Version| {
        let table = version
            .table(tables)
            .filter(|table| table.table_fulls > 0)?;
        let keys = refused(window, so_far).filter(|(_, key)| Version::of(key) == Some(version));
        let tally: Tally = keys.collect();
        (tally.count > 0).then(|| FullTable {
            version,
            table,
            limits_in: tables.limits_in,
            places: places(window, &tally),
            assessment: assessment(window, &table, &tally),
            // Each refused packet has raised it.
            confidence: match table.table_fulls >= tally.count {
                true => Confidence::Certain,
                false => Confidence::Likely,
            },
            tally,
        })
    };
    [Version::V4, Version::V6]
        .into_iter()
        .filter_map(of)
        .collect()
}

/// The reason why such packets cannot be told apart, where there are some.
pub(super) fn unread(window: &Window<'_>, so_far: &Outcome) -> Option<String> {
    let missing = window.neighbour_tables.missing()?;
    refused(window, so_far).next()?;
    Some(format!("tables of neighbours that are full: {missing}"))
}

/// Packets of this node for whose neighbour no entry could be made.
fn refused<'a>(
    window: &'a Window<'_>,
    so_far: &Outcome,
) -> impl Iterator<Item = (usize, &'a DropCount)> {
    let sites = [&site::IP_FINISH_OUTPUT2, &site::IP6_FINISH_OUTPUT2];
    unclaimed(window, so_far).filter(move |(_, key)| {
        let is_ours = key.netns.is_some_and(|id| window.namespace(id).is_some());
        let is_unnamed = key.reason.is_unnamed() && key.location.is_of_any(&sites);
        is_ours && (key.reason == Reason::NEIGH_CREATEFAIL || is_unnamed)
    })
}

fn places<'a>(
    window: &'a Window<'_>,
    tally: &Tally,
) -> Vec<(&'a Namespace, Option<&'a Link>, u64)> {
    let mut counts: BTreeMap<(NetnsId, u32), u64> = BTreeMap::new();
    for key in tally.drops(window) {
        let netns = key.netns.unwrap_or_default();
        *counts.entry((netns, key.ifindex)).or_default() += key.count;
    }
    let mut places: Vec<_> = counts
        .into_iter()
        .filter_map(|((netns, ifindex), count)| {
            let namespace = window.namespace(netns)?;
            Some((namespace, window.topology.link(netns, ifindex), count))
        })
        .collect();
    places.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    places
}

/// Neighbours that have an entry go on: what is cut off is each new one.
fn assessment(window: &Window<'_>, table: &NeighbourTable, tally: &Tally) -> Assessment {
    let last = tally.drops(window).map(|key| key.last_ms).max();
    let is_full = table.entries >= table.gc_thresh3
        && last.is_some_and(|last| last.saturating_add(STILL) >= window.duration_ms);
    if is_full && tally.count.min(table.table_fulls) >= REFUSALS {
        return Assessment::of(Harm::Outage)
            .by(Culprit::Here)
            .with_packets(tally.count)
            .with_flows(harm::flows(window, tally));
    }
    let links = places(window, tally);
    let sent = links.iter().filter_map(|(_, link, _)| *link);
    let sent = sent.map(harm::sent).fold(0, u64::saturating_add);
    harm::loss(window, tally, Culprit::Here, Some(sent))
}
