//! The words about packets that go in a circle.

use super::{
    circle::next_hop,
    fault::{Circle, Fault, Version},
};
use crate::{
    Window,
    detectors::kit::{proof, say, traced},
    evidence::RouteQuestion,
    finding::{Harm, Proof, Remedy, Text},
};

pub(super) fn text(window: &Window<'_>, fault: &Fault<'_>, circle: &Circle<'_>) -> Text {
    let packets = say::count(fault.tally.count, "packet");
    let (within, seen) = (say::within(window), say::seen(&fault.assessment));
    let destination = circle.first.question.destination;
    let back = circle.back.name.as_str();
    let other = match (circle.holder, next_hop(circle)) {
        (Some(holder), _) => say::namespace(holder),
        (None, Some(gateway)) => format!("{gateway}"),
        (None, None) => "the other host".to_owned(),
    };
    let hurts = match fault.assessment.harm {
        Harm::Outage => format!(
            "Nothing that the node sends there reaches {destination}: {packets} died{within}, each after going round \
             until its hop limit ran out.{seen}"
        ),
        _ => format!(
            "{packets} died{within}: too few to tell whether somebody needs that way.{seen}"
        ),
    };
    Text {
        headline: format!(
            "Packets to {destination} go in a circle between the node and {other}: {packets} ran out of hops"
        ),
        what: format!(
            "The node's route to {destination} leads out of {back} to {other}, and {other} sends these packets back to \
             the node by the same wire, until their hop limit is used up."
        ),
        hurts,
    }
}

pub(super) fn proofs(window: &Window<'_>, fault: &Fault<'_>, circle: &Circle<'_>) -> Vec<Proof> {
    let RouteQuestion {
        destination,
        source,
        ..
    } = circle.first.question;
    let back = circle.back.name.as_str();
    let via = next_hop(circle).map(|gateway| format!(" via {gateway}"));
    let mut proofs = vec![Proof::new(
        format!("route to {destination} from {source} iif {back} at the end of the window"),
        format!("dev {back}{}", via.unwrap_or_default()),
        "",
        "RTM_GETROUTE",
    )];
    if let Some(link) = fault.link {
        proofs.push(proof::setting(
            link,
            "rx_packets",
            link.increase(|stats| stats.rx_packets),
            "packets",
            "netlink",
        ));
    }
    let mut keys = fault.tally.drops(window);
    if let Some(counter) = keys.next().and_then(traced::counter) {
        proofs.extend(proof::counter_rose(
            fault.namespace,
            counter.name(),
            "packets",
        ));
    }
    proofs
}

/// No change is honest: which of the two has the wrong route is not known here.
pub(super) fn remedies(circle: &Circle<'_>) -> Vec<Remedy> {
    let RouteQuestion {
        destination,
        source,
        ..
    } = circle.first.question;
    let family = match circle.version {
        Version::V4 => "-4",
        Version::V6 => "-6",
    };
    let back = circle.back.name.as_str();
    let (to, from) = (destination.to_string(), source.to_string());
    let words = [
        "ip", family, "route", "get", &to, "from", &from, "iif", back,
    ];
    let text = "See the node's next hop. Either that route is wrong, or the next hop lacks its own to the destination and \
                sends everything back by its default route: correct the one that is wrong. Which one it is cannot be \
                seen from here.";
    let mut remedies = vec![Remedy::command(text, &words, &[back])];
    if let Some(holder) = circle.holder.filter(|holder| !holder.is_node) {
        let words = ["ip", family, "route", "get", &to];
        let text = format!("See where {} sends them.", say::namespace(holder));
        remedies.push(Remedy::command_in(holder, text, &words, &[]));
    }
    remedies
}
