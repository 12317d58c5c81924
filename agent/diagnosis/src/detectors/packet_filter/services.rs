//! Services whose packets kube-proxy refuses, because they have no endpoints.

use std::collections::BTreeSet;

use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{DropCount, FilterRule, PacketFilter, PacketSample, RefusedPort},
    packets::ip::IpPacket,
};

/// A service by the name that kube-proxy gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service<'a> {
    /// `namespace/name` or `namespace/name:port`.
    pub(super) name: &'a str,
    /// It has endpoints, but none on this node, and its traffic policy is Local.
    pub(super) is_local: bool,
}

/// The services, and what proves that packets were for them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Services<'a> {
    pub(super) services: BTreeSet<Service<'a>>,
    /// The rules whose counters rose.
    pub(super) rules: Vec<&'a FilterRule>,
    /// The ports of kube-proxy's maps to which packets were seen.
    pub(super) ports: Vec<&'a RefusedPort>,
}

impl<'a> Service<'a> {
    /// Namespace and name.
    pub(super) fn parts(&self) -> Option<(&'a str, &'a str)> {
        let (namespace, rest) = self.name.split_once('/')?;
        Some((namespace, rest.split(':').next().unwrap_or(rest)))
    }
}

/// The service that a rule's comment names.
pub(super) fn named(rule: &FilterRule) -> Option<Service<'_>> {
    let comment = rule.comment.as_deref()?;
    FilterRule::WITHOUT_ENDPOINTS
        .iter()
        .find_map(|(end, is_local)| {
            let name = comment.strip_suffix(end)?;
            Some(Service {
                name,
                is_local: *is_local,
            })
        })
}

/// The rule is there for services without endpoints.
pub(super) fn is_for_services(rule: &FilterRule) -> bool {
    named(rule).is_some() || rule.is_for_refused_ports()
}

/// Keys by their index.
type Keys<'a> = Vec<(usize, &'a DropCount)>;

/// A key that has packets for services.
struct Shared<'a> {
    key: (usize, &'a DropCount),
    /// Sampled packets of it that were for a service.
    seen: u64,
    /// All of its samples were.
    is_whole: bool,
}

/// Packets by service and the others.
pub(super) struct Split<'a> {
    /// The services, with their packets.
    pub(super) services: Option<(Services<'a>, Tally)>,
    /// The keys that others share.
    pub(super) rest: Keys<'a>,
    /// Packets of these keys that were for a service.
    pub(super) taken: u64,
}

/// Tells packets for services from those for others: by the destination of their samples, and by the counters of rules
/// that are there for a service.
///
/// `of_others`: packets of these keys that other rules counted; `None` where one of those has no counter.
pub(super) fn split<'a>(
    window: &Window<'_>,
    filter: &'a PacketFilter,
    keys: Keys<'a>,
    of_others: impl Fn(&[(usize, &DropCount)]) -> Option<u64>,
) -> Split<'a> {
    let mut found = Services::default();
    let mut tally = Tally::default();
    let mut rest: Keys<'a> = Vec::new();
    let mut shared: Vec<Shared<'a>> = Vec::new();
    let mut taken = 0;
    for (index, key) in keys {
        let samples: Vec<&PacketSample> = window.samples_of(index).collect();
        let ports = samples.iter().filter_map(|sample| port_of(filter, sample));
        let ports: Vec<&RefusedPort> = ports.collect();
        found.add(&ports);
        match ports.len() {
            0 => rest.push((index, key)),
            seen => shared.push(Shared {
                key: (index, key),
                seen: seen as u64,
                is_whole: seen == samples.len(),
            }),
        }
    }
    let keys_of = |shared: &[Shared<'a>]| shared.iter().map(|one| one.key).collect::<Keys<'a>>();
    match of_others(&keys_of(&shared)) {
        // Nobody else refused any of them.
        Some(0) => tally.merge(&keys_of(&shared).into_iter().collect()),
        // What the others did not count was for the services, whichever packets were sampled.
        Some(counted) => {
            let all: u64 = shared.iter().map(|one| one.key.1.count).sum();
            let seen = shared.iter().map(|one| one.seen).sum();
            taken += all.saturating_sub(counted).max(seen);
            rest.extend(keys_of(&shared));
        }
        // Only samples tell.
        None => {
            for one in shared {
                if one.is_whole {
                    tally.add(one.key.0, one.key.1);
                } else {
                    taken += one.seen;
                    rest.push(one.key);
                }
            }
        }
    }
    let risen = filter.rules.iter().filter(|rule| {
        named(rule).is_some() && rule.increase().is_some_and(|increase| increase > 0)
    });
    found.rules = risen.collect();
    found
        .services
        .extend(found.rules.iter().filter_map(|rule| named(rule)));
    let counted: u64 = found.rules.iter().filter_map(|rule| rule.increase()).sum();
    let at_least: u64 = rest.iter().map(|(_, key)| key.at_least).sum();
    if counted > 0 && counted >= at_least - at_least / 10 {
        tally.merge(&rest.drain(..).collect());
        taken = 0;
    } else {
        taken += counted;
    }
    if taken > 0 {
        tally.merge(&Tally::of_counter(taken, (0, window.duration_ms)));
    }
    Split {
        services: (!found.services.is_empty()).then_some((found, tally)),
        rest,
        taken,
    }
}

impl<'a> Services<'a> {
    fn add(&mut self, ports: &[&'a RefusedPort]) {
        for port in ports {
            if !self.ports.contains(port) {
                self.ports.push(port);
            }
            self.services
                .extend(port.comment.as_deref().map(|name| Service {
                    name,
                    is_local: port.verdict == crate::evidence::FilterVerdict::Drop,
                }));
        }
    }
}

/// The refused port that a packet was for.
fn port_of<'a>(filter: &'a PacketFilter, sample: &PacketSample) -> Option<&'a RefusedPort> {
    let packet = IpPacket::of_sample(sample)?;
    let to = packet.transport()?.destination_port;
    let is_to = |refused: &&RefusedPort| {
        let address = refused
            .address
            .is_none_or(|address| address == packet.destination);
        address && refused.protocol == packet.protocol && refused.port == to
    };
    filter.refused_ports.iter().find(is_to)
}
