//! The protocols that drivers complain about, and the devices that they are about.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::line::{Complaint, Refused};
use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{Link, LinkId},
    finding::{Assessment, Confidence, Culprit, Harm},
};

/// More protocols than a node's drivers ever complain about at once.
pub(super) const MOST_FINDINGS: usize = 16;
/// As many different lines as a person reads.
const SHOWN: usize = 4;

/// fm10k says it and then finishes the checksum in software (`fm10k_tx_csum`, `skb_checksum_help`).
const FINISHES_ITSELF: &str = "fm10k";

/// Lines about one protocol on one device, or on devices that are none of this node's.
pub(super) struct Complaints<'a> {
    pub(super) refused: Refused,
    pub(super) link: Option<&'a Link>,
    pub(super) confidence: Confidence,
    /// Different lines: `ixgbe 0000:03:00.0`.
    pub(super) lines: Vec<Complaint<'a>>,
    pub(super) tally: Tally,
}

impl Complaints<'_> {
    pub(super) fn drivers(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.driver)
    }

    /// The log says that the driver could not finish them, and not what became of the packets.
    pub(super) fn assessment(&self) -> Assessment {
        let harm = if self.are_harmless() {
            Harm::Cost
        } else {
            Harm::Unknown
        };
        Assessment::of(harm).by(Culprit::Here)
    }

    /// The drivers finish such a checksum in software, so that nothing is lost.
    pub(super) fn are_harmless(&self) -> bool {
        self.drivers().next().is_some() && self.drivers().all(|driver| driver == FINISHES_ITSELF)
    }
}

/// The complaints of the window's log, the most frequent first.
pub(super) fn groups<'a>(window: &'a Window<'_>) -> Vec<Complaints<'a>> {
    let nics = Nics::of(window);
    let mut groups: BTreeMap<(Option<LinkId>, Refused), Complaints<'_>> = BTreeMap::new();
    for entry in window.kernel_log.value().into_iter().flatten() {
        let Some(complaint) = Complaint::parse(&entry.text) else {
            continue;
        };
        let (link, confidence) = nics.meant(&complaint);
        let key = link.map(|link| (link.netns, link.ifindex));
        let group = groups
            .entry((key, complaint.refused))
            .or_insert_with(|| Complaints {
                refused: complaint.refused,
                link,
                confidence,
                lines: Vec::new(),
                tally: Tally::default(),
            });
        group.tally.add_event(entry.at_ms);
        group.confidence = group.confidence.min(confidence);
        if group.lines.len() < SHOWN && !group.lines.contains(&complaint) {
            group.lines.push(complaint);
        }
    }
    let mut groups: Vec<Complaints<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse(group.tally.count));
    groups
}

/// The NICs of this node, by what a line may name.
struct Nics<'a> {
    all: Vec<&'a Link>,
    /// Places in the list above.
    by_name: HashMap<&'a str, Vec<usize>>,
    by_driver: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Nics<'a> {
    fn of(window: &'a Window<'_>) -> Self {
        let links = window.links().iter();
        let all: Vec<&Link> = links.filter(|link| link.kind.is_none()).collect();
        let (mut by_name, mut by_driver): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) =
            Default::default();
        for (at, link) in all.iter().enumerate() {
            by_name.entry(link.name.as_str()).or_default().push(at);
            if let Some(driver) = link.driver.as_deref() {
                by_driver.entry(driver).or_default().push(at);
            }
        }
        Self {
            all,
            by_name,
            by_driver,
        }
    }

    /// The NIC that a line is about. The log belongs to the kernel, which several nodes may share: a device that is
    /// none of ours may be another's.
    fn meant(&self, complaint: &Complaint<'_>) -> (Option<&'a Link>, Confidence) {
        let fits = |link: &&Link| {
            let driver = link.driver.as_deref();
            driver.is_none_or(|driver| complaint.driver == Some(driver))
        };
        let named = complaint.words().filter_map(|word| self.by_name.get(word));
        let named: BTreeSet<usize> = named.flatten().copied().collect();
        let mut named = named.into_iter().map(|at| self.all[at]).filter(fits);
        if let Some(link) = named.next() {
            // Names may repeat in namespaces; drivers with hardware seldom do.
            let is_sure = link.driver.is_some() && named.next().is_none();
            let confidence = if is_sure {
                Confidence::Likely
            } else {
                Confidence::Possible
            };
            return (Some(link), confidence);
        }
        // A line with only the bus address: the driver's only NIC.
        let of_driver = complaint
            .driver
            .and_then(|driver| self.by_driver.get(driver));
        match of_driver.map(Vec::as_slice) {
            Some([only]) if !complaint.has_interface => (Some(self.all[*only]), Confidence::Likely),
            _ => (None, Confidence::Possible),
        }
    }
}
