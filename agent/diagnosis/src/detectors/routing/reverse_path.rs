//! The reverse path filter, which is IPv4's only.
//!
//! `__fib_validate_source` looks up the way back to a packet's source. It lets the packet pass where that way leads out of
//! the device that it came by. Else strict mode (1) refuses; loose mode (any larger value) only where no route leads back
//! at all, or where the device has no IPv4 address of its own.

use std::net::IpAddr;

use super::fault::{Fault, Fix, Kind, ReversePath};
use crate::{
    Window,
    detectors::kit::{Tally, harm, seen, unclaimed},
    evidence::{DropCount, Link, PacketSample},
    finding::{Assessment, Confidence, Culprit, Harm, Outcome},
    kernel::{NamespaceCounter, Reason, site},
    uapi::ethertype::ETH_P_IP,
};

/// The devices on which the filter refused packets.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut found: Vec<(&'a Link, Tally)> = Vec::new();
    for (index, key) in unclaimed(window, so_far) {
        let link = key
            .netns
            .and_then(|netns| window.topology.link(netns, key.ifindex));
        let Some(link) = link.filter(|_| is_refused(window, key)) else {
            continue;
        };
        match found.iter_mut().find(|(one, _)| one.id() == link.id()) {
            Some((_, tally)) => tally.add(index, key),
            None => found.push((link, [(index, key)].into_iter().collect())),
        }
    }
    let faults = found.into_iter();
    faults
        .filter_map(|(link, tally)| fault(window, link, tally))
        .collect()
}

fn is_refused(window: &Window<'_>, key: &DropCount) -> bool {
    if key.ethertype != ETH_P_IP {
        return false;
    }
    if key.reason == Reason::IP_RPFILTER {
        return true;
    }
    let namespace = key.netns.and_then(|netns| window.namespace(netns));
    let rose = namespace
        .and_then(|one| one.increase(NamespaceCounter::ReversePathFilter.name()))
        .unwrap_or_default();
    key.reason.is_absent()
        && key.location.is_of(&site::IP_RCV_FINISH_CORE)
        && rose.saturating_mul(2) >= key.count.max(1)
}

fn fault<'a>(window: &'a Window<'_>, link: &'a Link, tally: Tally) -> Option<Fault<'a>> {
    let namespace = window.namespace(link.netns)?;
    let around = seen::Around {
        namespace: Some(namespace),
        link: Some(link),
    };
    let samples: Vec<&PacketSample> = tally.samples(window).collect();
    let groups = samples
        .iter()
        .filter(|sample| seen::Seen::Group.is(sample, around))
        .count();
    let is_group = !samples.is_empty() && groups == samples.len() && !tally.lacks_samples(window);
    let addresses = &namespace.addresses;
    let mut own_addresses = addresses.iter().filter(|one| one.ifindex == link.ifindex);
    let has_address = (!addresses.is_empty())
        .then(|| own_addresses.any(|one| matches!(one.address, IpAddr::V4(_))));
    let own = link.ipv4.map(|settings| settings.rp_filter);
    let all = namespace.settings.ipv4_all.map(|all| all.rp_filter);
    let culprit = match harm::is_of_pod_or_guest(window, namespace, Some(link)) {
        true => Culprit::Here,
        false => Culprit::Unknown,
    };
    let assessment = if is_group {
        Assessment::none().with_packets(tally.count)
    } else {
        let unknown = || {
            let unknown = Assessment::of(Harm::Unknown)
                .by(culprit)
                .with_packets(tally.count)
                .with_flows(harm::flows(window, &tally));
            harm::unless_dead(window, &tally, unknown)
        };
        harm::outage(window, &tally, culprit).unwrap_or_else(unknown)
    };
    let others = window.topology.links_in(link.netns);
    Some(Fault {
        kind: Kind::ReversePathFilter(ReversePath {
            own,
            all,
            has_address,
            is_group,
            fix: fix(own, all, link, others),
        }),
        namespace,
        link: Some(link),
        tally,
        assessment,
        confidence: Confidence::Certain,
    })
}

/// The larger of both values is in force (IN_DEV_RPFILTER). Off lets every source pass.
fn fix<'a>(
    own: Option<u32>,
    all: Option<u32>,
    link: &Link,
    others: impl Iterator<Item = &'a Link>,
) -> Fix<'a> {
    match (own, all) {
        (Some(own), Some(0)) if own > 0 => Fix::Device { from: own, to: 0 },
        (Some(own), Some(all)) if all > 0 => {
            let is_lowered = |other: &&Link| {
                let value = other.ipv4.map(|settings| settings.rp_filter);
                other.id() != link.id() && value.is_some_and(|value| value < all)
            };
            Fix::All {
                own,
                all,
                lowered: others.filter(is_lowered).collect(),
            }
        }
        _ => Fix::Unknown,
    }
}
