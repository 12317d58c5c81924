//! The words about packets that found no way on.

use std::net::IpAddr;

use super::{
    fault::{Fault, NoWay, Version},
    no_way::MAIN,
};
use crate::{
    Window,
    detectors::kit::{proof, say},
    evidence::{Refusal, RouteAnswer, RouteEntry, RouteQuestion},
    finding::{Harm, Proof, Remedy, Text},
    kernel::NamespaceCounter,
};

/// As many routes as a finding names.
const MOST_ROUTES: usize = 4;
/// The writer that `ip route` notes when it is given none (RTPROT_BOOT).
const BOOT: u8 = 3;
const LASTING: &str = "the same route in the files of the node's network manager, or of the program that writes the others";

pub(super) fn text(window: &Window<'_>, fault: &Fault<'_>, no_way: &NoWay<'_>) -> Text {
    let packets = say::count(fault.tally.count, "packet");
    let (headline, what) = match (no_way.refusing.first(), refused_by(no_way)) {
        (Some(first), Some(by)) => {
            let prefixes: Vec<String> = no_way.refusing.iter().map(|one| prefix(one)).collect();
            let names: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let named = match names[..] {
                [only] => format!("route {only}"),
                _ => format!("routes {}", say::list(&names)),
            };
            (
                format!("The {} {named} refused {packets}", by.as_str()),
                refused(no_way, first, by),
            )
        }
        (_, Some(by)) => (
            format!("A routing rule of the type {} refused {packets}", by.as_str()),
            "A rule refuses them, and no table that is asked before it has a route. Asked again when the window ended, \
             the kernel gave the same answer."
                .to_owned(),
        ),
        _ if no_way.is_covered => (
            format!(
                "The node's routing finds no way to {}: {packets} refused",
                destinations(no_way)
            ),
            missing(no_way),
        ),
        _ => (
            format!("No route leads to {}: {packets} refused", destinations(no_way)),
            missing(no_way),
        ),
    };
    Text {
        headline,
        what,
        hurts: hurts(window, fault, no_way),
    }
}

/// `192.0.2.7`, `192.0.2.7, 192.0.2.8, 192.0.2.9, 192.0.2.10 and 3 more`.
fn destinations(no_way: &NoWay<'_>) -> String {
    let names: Vec<String> = no_way.destinations.iter().map(IpAddr::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    say::list(&names)
}

fn refused_by(no_way: &NoWay<'_>) -> Option<Refusal> {
    match no_way.first.answer {
        RouteAnswer::Refused { by } => Some(by),
        _ => None,
    }
}

fn refused(no_way: &NoWay<'_>, first: &RouteEntry, by: Refusal) -> String {
    let told = match by {
        Refusal::Blackhole => "their senders are not told",
        Refusal::Unreachable | Refusal::Prohibit => "their senders are told by ICMP",
    };
    let writer = match no_way.is_of_daemon {
        true => format!(
            " A program wrote it (protocol {}): routing daemons, network plugins and DHCP clients refuse what is left \
             of their own prefix, so that addresses that nobody has end there.",
            first.protocol
        ),
        false => String::new(),
    };
    format!(
        "The most specific route to their destination is of the type {}: the kernel drops them, and {told}.{writer}",
        by.as_str()
    )
}

fn missing(no_way: &NoWay<'_>) -> String {
    let history = match no_way.removed.first() {
        Some(route) => format!(
            " The route {} led there until it was deleted within this window.",
            prefix(route)
        ),
        None => String::new(),
    };
    let rule = match no_way.rules.first() {
        Some(rule) => format!(
            " A routing rule of the type unreachable (priority {}) may be what refuses.",
            rule.priority
        ),
        None => String::new(),
    };
    let lack = match no_way.is_covered {
        false => "The node has no route for them, not even a default route,",
        true => "No table that is asked for them has a route, and the node",
    };
    let tells = match no_way.is_covered {
        false => {
            "and tells their senders so by ICMP. Asked again when the window ended, it had none either."
        }
        true => {
            "tells their senders so by ICMP. Asked again when the window ended, the kernel gave the same answer."
        }
    };
    format!("{lack} {tells}{history}{rule}")
}

fn hurts(window: &Window<'_>, fault: &Fault<'_>, no_way: &NoWay<'_>) -> String {
    let packets = say::count(fault.tally.count, "packet");
    let (within, seen) = (say::within(window), say::seen(&fault.assessment));
    let device = fault.link.map_or("the node", |link| link.name.as_str());
    match fault.assessment.harm {
        _ if fault.assessment.is_decision() => {
            format!("As the rule means it: {packets} refused{within}.{seen}")
        }
        Harm::Outage => format!(
            "Nothing that comes in on {device} reaches {}: {packets} refused{within}.{seen}",
            destinations(no_way)
        ),
        _ => format!(
            "Not known: those who need that destination get nothing through, and a scan or a poller of an address that \
             is gone ends the same way. {packets} refused{within}.{seen}"
        ),
    }
}

pub(super) fn proofs(fault: &Fault<'_>, no_way: &NoWay<'_>) -> Vec<Proof> {
    let RouteQuestion {
        destination,
        source,
        ..
    } = no_way.first.question;
    let device = fault.link.map_or("?", |link| link.name.as_str());
    let answer = refused_by(no_way).map_or("no route", Refusal::as_str);
    let mut proofs = vec![Proof::new(
        format!("route to {destination} from {source} iif {device} at the end of the window"),
        answer,
        "",
        "RTM_GETROUTE",
    )];
    for route in no_way.refusing.iter().take(MOST_ROUTES) {
        let name = format!("{} {}", kind(route), prefix(route));
        let value = format!("table {}, protocol {}", route.table, route.protocol);
        proofs.push(Proof::new(name, value, "", "RTM_GETROUTE"));
    }
    for route in no_way.removed.iter().take(MOST_ROUTES) {
        let name = format!("route {} deleted within the window", prefix(route));
        let value = format!("table {}, protocol {}", route.table, route.protocol);
        proofs.push(Proof::new(name, value, "", "RTM_DELROUTE"));
    }
    for rule in no_way.rules.iter().take(MOST_ROUTES) {
        let kind = rule.refusal.map_or("", Refusal::as_str);
        let name = format!("routing rule of the type {kind}");
        let value = format!("priority {}", rule.priority);
        proofs.push(Proof::new(name, value, "", "RTM_GETRULE"));
    }
    let is_missing = no_way.refusing.is_empty() && no_way.version == Version::V4;
    if is_missing {
        let counter = NamespaceCounter::InNoRoutes.name();
        proofs.extend(proof::counter_rose(fault.namespace, counter, "packets"));
    }
    proofs
}

pub(super) fn remedies(window: &Window<'_>, fault: &Fault<'_>, no_way: &NoWay<'_>) -> Vec<Remedy> {
    if !no_way.refusing.is_empty() {
        let mut remedies = Vec::new();
        remedies.extend(delete(window, no_way));
        remedies.push(show_refusing(no_way));
        return remedies;
    }
    let removed = no_way.removed.iter().take(MOST_ROUTES);
    let mut remedies: Vec<Remedy> = removed.filter_map(|route| restore(window, route)).collect();
    match no_way.rules.first() {
        Some(_) => remedies.push(show_rules(no_way)),
        None => remedies.push(ask_again(fault, no_way)),
    }
    remedies
}

/// Writes a route that was there again.
fn restore(window: &Window<'_>, route: &RouteEntry) -> Option<Remedy> {
    let device = device(window, route)?;
    if !route.is_plain {
        return None;
    }
    // The kernel deletes routes of IPv6 by itself.
    let text = match route.prefix.is_ipv6() {
        true => "Add the route again that was deleted within this window.",
        false => {
            "Add the route again that was deleted within this window; then find the program that deleted it, or it will \
             do so again."
        }
    };
    let remedy = change(text, ("add", "del"), route, Some(device))
        .with_effect(format!(
            "packets to {} leave by {device} again",
            prefix(route)
        ))
        .lasting(LASTING);
    Some(remedy)
}

/// Deletes the route that refuses, where another leads on.
fn delete(window: &Window<'_>, no_way: &NoWay<'_>) -> Option<Remedy> {
    let ([route], Some(next)) = (&no_way.refusing[..], no_way.otherwise) else {
        return None;
    };
    if no_way.is_of_daemon || no_way.keeps_pods || !route.is_plain {
        return None;
    }
    let device = device(window, next)?;
    let text = format!(
        "If {} is wanted, delete the route that refuses it; then find who wrote it.",
        prefix(route)
    );
    let remedy = change(&text, ("del", "add"), route, None)
        .with_effect(format!(
            "all that goes to {} leaves by {device} then, by the route {}",
            prefix(route),
            prefix(next)
        ))
        .lasting(
            "the same in the files of the node's network manager, or of the program that wrote it",
        );
    Some(remedy)
}

fn device<'a>(window: &Window<'a>, route: &RouteEntry) -> Option<&'a str> {
    let node = window.node_namespace()?;
    let link = window.topology.link(node.id, route.ifindex)?;
    (!window.has_ended(link)).then_some(link.name.as_str())
}

fn change(text: &str, verbs: (&str, &str), route: &RouteEntry, device: Option<&str>) -> Remedy {
    let write = |verb: &str| {
        let words = words(verb, route, device);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let names: Vec<&str> = device.into_iter().collect();
        Remedy::command(text, &words, &names)
    };
    write(verbs.0).undone_by(write(verbs.1))
}

/// `ip -4 route add blackhole 198.51.100.0/24 metric 7`.
fn words(verb: &str, route: &RouteEntry, device: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> = ["ip", family(route.prefix.is_ipv6()), "route", verb]
        .map(str::to_owned)
        .to_vec();
    words.extend(route.refusal.map(|by| by.as_str().to_owned()));
    words.push(prefix(route));
    let mut push = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(gateway) = route.gateway {
        push("via", gateway.to_string());
    }
    if let Some(device) = device {
        push("dev", device.to_owned());
    }
    if route.protocol != BOOT {
        push("proto", route.protocol.to_string());
    }
    if route.metric != 0 {
        push("metric", route.metric.to_string());
    }
    if route.table != MAIN {
        push("table", route.table.to_string());
    }
    if route.is_onlink {
        words.push("onlink".to_owned());
    }
    words
}

fn family(is_ipv6: bool) -> &'static str {
    if is_ipv6 { "-6" } else { "-4" }
}

fn show_refusing(no_way: &NoWay<'_>) -> Remedy {
    let by = refused_by(no_way).map_or("", Refusal::as_str);
    let family = family(no_way.version == Version::V6);
    let words = ["ip", family, "route", "show", "table", "all", "type", by];
    let text = match (no_way.is_of_daemon, no_way.otherwise) {
        (true, _) => {
            "See the route that refuses. The program that wrote it would write it again: where the destination is \
             wanted, that program lacks the more specific route to it."
        }
        (false, Some(_)) => "See the route that refuses, and all others of its type.",
        (false, None) => {
            "See the route that refuses. Where the destination is wanted, write one with a longer prefix, by the \
             gateway that leads there, or replace this one."
        }
    };
    Remedy::command(text, &words, &[])
}

fn show_rules(no_way: &NoWay<'_>) -> Remedy {
    let words = ["ip", family(no_way.version == Version::V6), "rule", "show"];
    Remedy::command(
        "See the rule that refuses, with what it matches.",
        &words,
        &[],
    )
}

fn ask_again(fault: &Fault<'_>, no_way: &NoWay<'_>) -> Remedy {
    let RouteQuestion {
        destination,
        source,
        ..
    } = no_way.first.question;
    let family = family(no_way.version == Version::V6);
    let (destination, source) = (destination.to_string(), source.to_string());
    let device = fault.link.map_or("", |link| link.name.as_str());
    let words = [
        "ip",
        family,
        "route",
        "get",
        &destination,
        "from",
        &source,
        "iif",
        device,
    ];
    let text = match no_way.removed[..] {
        [] => {
            "Ask the kernel again: it answers that the network is unreachable until there is a route. Add the missing \
             prefix, or a default route, by the gateway that leads there; the gateway is not known here."
        }
        _ => {
            "Ask the kernel again: it answers that the network is unreachable until there is a route."
        }
    };
    Remedy::command(text, &words, &[device])
}

fn kind(route: &RouteEntry) -> &'static str {
    route.refusal.map_or("route", Refusal::as_str)
}

fn prefix(route: &RouteEntry) -> String {
    match route.length {
        0 => "default".to_owned(),
        length => format!("{}/{length}", route.prefix),
    }
}
