//! The refusals of each namespace.

use std::collections::BTreeMap;

use super::{
    rules::{self, Suspects, Way},
    senders::{self, Senders},
    services,
};
use crate::{
    Window,
    causes::{Cause, OUTPUT_RULE_DROPPED, RULE_DROPPED, SERVICE_WITHOUT_ENDPOINTS},
    detectors::{
        checksum_drop::may_have_lost_checksum,
        kit::{Tally, harm, unclaimed},
        other_drop::is_refused_by_rule,
    },
    evidence::{DropCount, Namespace, NetnsId, PacketFilter, PacketSample},
    finding::{Assessment, Confidence, Culprit, Decision, Harm, Outcome, Severity},
    kernel::site,
    packets::ip::IpPacket,
};

/// A mechanism, with what proves it.
pub(super) enum Kind<'a> {
    /// A rule refused packets on this way.
    Rule(Way, Suspects<'a>),
    /// kube-proxy refused packets to these services.
    Service(services::Services<'a>),
}

/// Packets that were refused in one namespace.
pub(super) struct Refusal<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
    /// The programs that sent them.
    pub(super) senders: Senders<'a>,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl Kind<'_> {
    pub(super) fn cause(&self) -> &'static Cause {
        match self {
            Self::Rule(Way::Out, _) => &OUTPUT_RULE_DROPPED,
            Self::Rule(Way::In, _) => &RULE_DROPPED,
            Self::Service(_) => &SERVICE_WITHOUT_ENDPOINTS,
        }
    }
}

/// The keys of a namespace that are not yet explained.
type Keys<'a> = Vec<(usize, &'a DropCount)>;

/// The refusals of every namespace.
pub(super) fn refusals<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Refusal<'a>> {
    let mut of_namespaces: BTreeMap<NetnsId, Keys<'_>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        // A checksum that was lost shows only in samples: such keys are for the check of what is left.
        let is_open = may_have_lost_checksum(window, index, key);
        if let Some(netns) = key
            .netns
            .filter(|_| is_refused_by_rule(window, index, key) && !is_open)
        {
            of_namespaces.entry(netns).or_default().push((index, key));
        }
    }
    let mut refusals = Vec::new();
    for (netns, keys) in of_namespaces {
        if let Some(namespace) = window.namespace(netns) {
            of_namespace(window, namespace, keys, &mut refusals);
        }
    }
    refusals
}

fn of_namespace<'a>(
    window: &'a Window<'_>,
    namespace: &'a Namespace,
    keys: Keys<'a>,
    refusals: &mut Vec<Refusal<'a>>,
) {
    // Only the node's own rules can be read; a pod's are never answered from these.
    let filter = window.packet_filter.value().filter(|_| namespace.is_node);
    let mut rest = keys;
    let mut taken = 0;
    if let Some(filter) = filter {
        let split = services::split(window, filter, rest, |shared| {
            rules::counted_by_others(filter, shared)
        });
        (rest, taken) = (split.rest, split.taken);
        refusals.extend(split.services.map(|(services, tally)| Refusal {
            assessment: service_outage(window, &tally),
            confidence: Confidence::Certain,
            kind: Kind::Service(services),
            namespace,
            tally,
            senders: Senders::default(),
        }));
    }
    for way in [Way::In, Way::Out] {
        let of_way = rest
            .iter()
            .filter(|(index, _)| way_of(window, namespace, *index) == way);
        let of_way: Keys<'a> = of_way.copied().collect();
        refusals.extend(by_rule(window, namespace, filter, way, &of_way, &mut taken));
    }
}

fn service_outage(window: &Window<'_>, tally: &Tally) -> Assessment {
    Assessment::of(Harm::Outage)
        .by(Culprit::Elsewhere)
        .with_packets(tally.count)
        .with_flows(harm::flows(window, tally))
}

fn by_rule<'a>(
    window: &'a Window<'_>,
    namespace: &'a Namespace,
    filter: Option<&'a PacketFilter>,
    way: Way,
    keys: &[(usize, &'a DropCount)],
    taken: &mut u64,
) -> Option<Refusal<'a>> {
    // A key may have packets of both ways: no rule of either is left out then.
    let is_mixed = way == Way::In
        && keys.iter().any(|(index, _)| {
            window
                .samples_of(*index)
                .any(|sample| is_sent(window, namespace, sample))
        });
    let ways: &[Way] = match is_mixed {
        true => &[Way::In, Way::Out],
        false => &[way],
    };
    let suspects = Suspects::of(filter, ways, keys, *taken);
    let tally: Tally = keys.iter().copied().collect();
    let for_services = tally.count.min(*taken);
    *taken -= for_services;
    let tally = match for_services {
        0 => tally,
        // Some packet is left that was for no service.
        taken => {
            let left = tally.count.saturating_sub(taken).max(1);
            tally.with_count(left)
        }
    };
    // Every rule was read, and none can have done it: translation and connection tracking refuse packets as well.
    let is_none = filter.is_some_and(|filter| filter.missing.is_empty()) && suspects.is_empty();
    if tally.count == 0 || is_none {
        return None;
    }
    // Whose of the packets that were seen a rule refused, and whose a service's map, is not told apart.
    let is_shared = for_services > 0;
    let outage = harm::outage(window, &tally, Culprit::Unknown).filter(|_| !is_shared);
    let decided = match outage {
        Some(outage) => Assessment {
            decision: Some(Decision::Rule),
            ..outage
        },
        None => {
            let flows = match is_shared {
                true => Vec::new(),
                false => harm::flows(window, &tally),
            };
            Assessment::decided(Decision::Rule, Harm::Unknown, tally.count).with_flows(flows)
        }
    };
    // Which ports they were for is seen in samples only.
    let may_be_service = filter.is_some_and(|filter| !filter.refused_ports.is_empty())
        && tally.lacks_samples(window)
        && !suspects.are_counted;
    let assessment = match may_be_service {
        true => Assessment {
            decision: None,
            ..decided.no_less_than(Severity::Warning)
        },
        false => decided,
    };
    let is_of_rules = keys
        .iter()
        .all(|(_, key)| key.location.is_of(&site::NFT_DO_CHAIN));
    let confidence = match suspects.are_counted || (is_of_rules && suspects.is_empty()) {
        true => Confidence::Certain,
        false => Confidence::Likely,
    };
    Some(Refusal {
        senders: match way {
            Way::Out => senders::of(window, namespace, &tally),
            Way::In => Senders::default(),
        },
        kind: Kind::Rule(way, suspects),
        namespace,
        tally,
        assessment,
        confidence,
    })
}

/// All packets of the key that were seen were sent here.
fn way_of(window: &Window<'_>, namespace: &Namespace, index: usize) -> Way {
    let mut samples = window.samples_of(index).peekable();
    let is_out =
        samples.peek().is_some() && samples.all(|sample| is_sent(window, namespace, sample));
    match is_out {
        true => Way::Out,
        false => Way::In,
    }
}

/// A packet that came in on a device keeps the number of that device (`__netif_receive_skb_core`); a program's has none.
fn is_sent(window: &Window<'_>, namespace: &Namespace, sample: &PacketSample) -> bool {
    let packet = IpPacket::of_sample(sample);
    let holders = packet.map(|packet| window.holders_of(packet.source));
    let mut holders = holders.unwrap_or_default().iter();
    sample.skb_iif == 0 && holders.any(|(holder, _)| holder.id == namespace.id)
}
