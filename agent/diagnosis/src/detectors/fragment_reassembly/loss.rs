//! Datagrams that stayed incomplete though nothing came twice: some of their fragments never came.

use std::collections::BTreeSet;

use super::{
    FRAGMENT_LOSS, NAME,
    remains::{Ends, Place, Remains, Version},
    toll::Toll,
    wording::incomplete,
};
use crate::{
    evidence::{EvidenceWindow, Link, Namespace},
    finding::{Confidence, Finding, Outcome, Severity, Subject},
};

/// Incomplete datagrams a minute from which it is a warning: a packet may get lost on any network.
const WARN_PER_MINUTE: u64 = 6;

/// Incomplete datagrams of one namespace and IP version.
pub(super) struct Incomplete<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) version: Version,
    /// The interface that the fragments came in on, where it is one alone.
    pub(super) link: Option<&'a Link>,
    /// Datagrams given up for want of fragments.
    pub(super) datagrams: u64,
    /// Fragments of them that had come.
    pub(super) fragments: u64,
    /// Fragments that came twice, on one interface.
    pub(super) duplicates: u64,
    /// Sender and receiver of the sampled fragments.
    pub(super) flows: BTreeSet<Ends>,
    drops: Vec<usize>,
    times: (u64, u64),
}

/// One finding for each namespace and IP version that gave up datagrams for want of fragments.
pub(super) fn report(
    window: &EvidenceWindow,
    remains: &[Remains<'_>],
    tolls: &[Toll<'_>],
) -> Outcome {
    let mut outcome = Outcome::default();
    for namespace in &window.namespaces {
        for version in [Version::V4, Version::V6] {
            if let Some(found) = Incomplete::of(window, namespace, version, remains, tolls) {
                let finding = found.finding(window);
                outcome.extend(Outcome::of_loss(finding, &found.drops));
            }
        }
    }
    outcome
}

impl<'a> Incomplete<'a> {
    /// `None` when nothing failed there, or nothing but what copies explain.
    fn of(
        window: &'a EvidenceWindow,
        namespace: &'a Namespace,
        version: Version,
        remains: &[Remains<'_>],
        tolls: &[Toll<'_>],
    ) -> Option<Self> {
        let failed = version.increase(namespace, "ReasmFails");
        if failed == 0 {
            return None;
        }
        let collides = |one: &Remains<'_>| {
            let mut of_domains = tolls.iter().flat_map(|toll| &toll.remains);
            of_domains.any(|other| other.drop == one.drop)
        };
        let here = remains.iter().filter(|remains| {
            remains.version == version && is_in(window, namespace, remains) && !collides(remains)
        });
        let (given_up, others): (Vec<_>, Vec<_>) =
            here.partition(|remains| remains.place == Place::Expiry);
        let fragments = count(given_up.iter().copied());
        let arriving = others
            .iter()
            .filter(|remains| remains.place == Place::Reassembly);
        // Without memory for a fragment the kernel counts a failure at once and no time-out; older kernels name
        // neither.
        let timed_out = version.increase(namespace, "ReasmTimeout");
        let refused = failed.saturating_sub(timed_out);
        let duplicates = count(arriving.copied()).saturating_sub(refused);
        let datagrams = timed_out.min(fragments);
        // A copy of a last fragment opens a queue again that cannot complete; nothing is lost by it. Such a queue holds
        // that fragment alone, and while some copies are last fragments others are not and find themselves in a queue.
        let has_parts = fragments > datagrams || given_up.iter().any(|one| one.not_last > 0);
        let is_by_copies = duplicates > 0 && datagrams <= duplicates.saturating_mul(2) + 2;
        if datagrams == 0 || !has_parts || is_by_copies {
            return None;
        }
        let entered_on: BTreeSet<u32> = given_up
            .iter()
            .flat_map(|remains| remains.entered_on.iter().copied())
            .collect();
        let link = match entered_on.iter().copied().collect::<Vec<_>>()[..] {
            [only] => window.link(namespace.id, only),
            _ => None,
        };
        let times = |of: fn(&Remains<'_>) -> u64| given_up.iter().copied().map(of);
        Some(Self {
            namespace,
            version,
            link,
            datagrams,
            fragments,
            duplicates,
            flows: given_up
                .iter()
                .flat_map(|remains| remains.sampled.iter().copied())
                .collect(),
            drops: given_up.iter().map(|remains| remains.drop).collect(),
            times: (
                times(|remains| remains.key.first_ms).min().unwrap_or(0),
                times(|remains| remains.key.last_ms).max().unwrap_or(0),
            ),
        })
    }

    fn finding(&self, window: &EvidenceWindow) -> Finding {
        let subject = match self.link {
            Some(link) => Subject::of_link(link, Some(self.namespace)),
            None => Subject::of_namespace(self.namespace),
        };
        let severity = if window.reaches_rate(self.datagrams, WARN_PER_MINUTE) {
            Severity::Warning
        } else {
            Severity::Info
        };
        let subject = subject.with_protocol(self.version.name());
        let text = incomplete::text(self);
        let mut finding = Finding::new(NAME, FRAGMENT_LOSS, severity, subject, text);
        finding.confidence = if self.duplicates == 0 {
            Confidence::Certain
        } else {
            Confidence::Likely
        };
        finding.count = self.datagrams;
        (finding.first_ms, finding.last_ms) = self.times;
        incomplete::describe(&mut finding, self);
        finding
    }
}

/// Whether these packets were this namespace's. Fragments that leave a queue have no device any more: then the
/// interface that they came in on must be there, and the namespace be the receiver or the only one where reassembly
/// failed.
fn is_in(window: &EvidenceWindow, namespace: &Namespace, remains: &Remains<'_>) -> bool {
    if let Some(netns) = remains.key.netns {
        return netns == namespace.id;
    }
    if remains.place != Place::Expiry {
        return false;
    }
    let mut entered_on = remains.entered_on.iter();
    if !entered_on.all(|ifindex| window.link(namespace.id, *ifindex).is_some()) {
        return false;
    }
    let owns = |address| {
        let mut addresses = namespace.addresses.iter();
        addresses.any(|own| own.address == address)
    };
    let fails = |other: &&Namespace| remains.version.increase(other, "ReasmFails") > 0;
    let mut receivers = remains.sampled.iter().map(|(_, receiver)| *receiver);
    receivers.all(owns) || window.namespaces.iter().filter(fails).count() == 1
}

fn count<'a>(remains: impl Iterator<Item = &'a Remains<'a>>) -> u64 {
    remains.fold(0, |sum, remains| sum.saturating_add(remains.key.count))
}
