//! The words about packets that find no way on.

use super::{
    circle_text,
    fault::{Fault, Fix, Forwarding, Kind, ReversePath, Version},
    no_way_text,
};
use crate::{
    Window,
    detectors::kit::{proof, say},
    evidence::{Link, Namespace},
    finding::{Harm, Proof, Remedy, Text},
    kernel::NamespaceCounter,
};

/// Devices that one command sets; more are a task for a person.
const MOST_DEVICES: usize = 16;

pub(super) fn text(window: &Window<'_>, fault: &Fault<'_>) -> Text {
    match &fault.kind {
        Kind::ForwardingOff(forwarding) => forwarding_off(window, fault, forwarding),
        Kind::ReversePathFilter(filter) => reverse_path(window, fault, filter),
        Kind::NoWay(no_way) => no_way_text::text(window, fault, no_way),
        Kind::Circle(circle) => circle_text::text(window, fault, circle),
    }
}

pub(super) fn proofs(window: &Window<'_>, fault: &Fault<'_>) -> Vec<Proof> {
    match &fault.kind {
        Kind::ForwardingOff(forwarding) => forwarding_proofs(fault, forwarding),
        Kind::ReversePathFilter(filter) => filter_proofs(fault, filter),
        Kind::NoWay(no_way) => no_way_text::proofs(fault, no_way),
        Kind::Circle(circle) => circle_text::proofs(window, fault, circle),
    }
}

pub(super) fn remedies(window: &Window<'_>, fault: &Fault<'_>) -> Vec<Remedy> {
    match &fault.kind {
        Kind::ForwardingOff(forwarding) => match forwarding.version {
            _ if !forwarding.is_off => Vec::new(),
            Version::V4 => forward_ipv4(fault, forwarding),
            Version::V6 => forward_ipv6(fault, forwarding),
        },
        // Copies are refused as they should be.
        Kind::ReversePathFilter(filter) if filter.is_group => Vec::new(),
        Kind::ReversePathFilter(filter) => vec![filter_less(fault, filter)],
        Kind::NoWay(no_way) => no_way_text::remedies(window, fault, no_way),
        Kind::Circle(circle) => circle_text::remedies(circle),
    }
}

/// `net.ipv4.conf.eth0.forwarding`; with slashes where the name has a dot.
fn sysctl(version: Version, device: &str, setting: &str) -> String {
    let family = match version {
        Version::V4 => "ipv4",
        Version::V6 => "ipv6",
    };
    match device.contains('.') {
        true => format!("net/{family}/conf/{device}/{setting}"),
        false => format!("net.{family}.conf.{device}.{setting}"),
    }
}

/// A setting with a value.
type Setting = (String, u32);

/// A change of settings in the namespace to these values, and back to those.
fn change(
    namespace: &Namespace,
    text: &str,
    to: &[Setting],
    from: &[Setting],
    names: &[&str],
) -> Remedy {
    let write = |settings: &[Setting]| {
        let words: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut command = vec!["sysctl", "-w"];
        command.extend(words.iter().map(String::as_str));
        Remedy::command_in(namespace, text, &command, names)
    };
    write(to).undone_by(write(from))
}

fn with_value(settings: &[String], value: u32) -> Vec<Setting> {
    let settings = settings.iter();
    settings.map(|name| (name.clone(), value)).collect()
}

fn look(namespace: &Namespace, text: &str, settings: &[String], names: &[&str]) -> Remedy {
    let mut command = vec!["sysctl"];
    command.extend(settings.iter().map(String::as_str));
    Remedy::command_in(namespace, text, &command, names)
}

fn names<'a>(links: &[&'a Link]) -> Vec<&'a str> {
    links.iter().map(|link| link.name.as_str()).collect()
}

fn forwarding_off(window: &Window<'_>, fault: &Fault<'_>, forwarding: &Forwarding<'_>) -> Text {
    let packets = say::count(fault.tally.count, "packet");
    let (place, within) = (say::namespace(fault.namespace), say::within(window));
    let devices = say::list(&names(&forwarding.ingress));
    let seen = say::seen(&fault.assessment);
    let protocol = match forwarding.version {
        Version::V4 => "IPv4",
        Version::V6 => "IPv6",
    };
    let headline = match forwarding.is_off {
        true => format!(
            "{} does not forward {protocol} from {devices}: {packets} refused",
            capital(&place)
        ),
        false => format!(
            "{} did not forward {protocol} from {devices} for a while: {packets} lost",
            capital(&place)
        ),
    };
    let setting = match forwarding.version {
        Version::V4 => {
            "IPv4 passes a packet on only where forwarding is on for the device that it came by."
        }
        Version::V6 => "IPv6 passes packets on only where net.ipv6.conf.all.forwarding is on.",
    };
    let state = match (forwarding.is_off, forwarding.is_read) {
        (true, true) => {
            "It is off, and these packets were to be passed on: they come from a pod or a guest, or are for \
                         an address behind another device here."
        }
        (true, false) => {
            "That setting was not read; nothing else ends packets with such a source at this place."
        }
        (false, _) => "It was off when they came, and is on by now.",
    };
    let hurts = match fault.assessment.harm {
        Harm::Outage => format!(
            "Nothing that comes in on {devices} reaches another host: {packets} refused{within}.{seen}"
        ),
        Harm::Loss => format!("{packets} were lost{within}.{seen}"),
        _ => format!("{packets} refused{within}: too few to tell.{seen}"),
    };
    Text {
        headline,
        what: format!("{setting} {state}"),
        hurts,
    }
}

fn capital(place: &str) -> String {
    let mut characters = place.chars();
    let first = characters.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(characters).collect()
}

fn forwarding_proofs(fault: &Fault<'_>, forwarding: &Forwarding<'_>) -> Vec<Proof> {
    let on_off = |is_on: bool| u32::from(is_on);
    let mut proofs = Vec::new();
    match forwarding.version {
        Version::V4 => {
            let devices = forwarding.ingress.iter().take(4);
            proofs.extend(devices.filter_map(|link| {
                let value = on_off(link.ipv4?.forwarding);
                Some(proof::setting(
                    link,
                    "IPv4 forwarding",
                    value,
                    "",
                    "netlink",
                ))
            }));
            if let Some(all) = fault.namespace.settings.ipv4_all {
                let value = on_off(all.forwarding);
                proofs.push(Proof::new(
                    "net.ipv4.conf.all.forwarding",
                    value,
                    "",
                    "/proc/sys",
                ));
            }
        }
        Version::V6 => {
            if let Some(all) = fault.namespace.settings.ipv6_all {
                let (name, value) = ("net.ipv6.conf.all.forwarding", on_off(all.forwarding));
                proofs.push(Proof::new(name, value, "", "/proc/sys"));
            }
        }
    }
    let counter = match forwarding.version {
        Version::V4 => NamespaceCounter::InAddrErrors,
        Version::V6 => NamespaceCounter::Ip6InAddrErrors,
    };
    proofs.extend(proof::counter_rose(
        fault.namespace,
        counter.name(),
        "packets",
    ));
    proofs
}

fn forward_ipv4(fault: &Fault<'_>, forwarding: &Forwarding<'_>) -> Vec<Remedy> {
    let names = names(&forwarding.devices);
    let mut settings: Vec<String> = names
        .iter()
        .map(|name| sysctl(Version::V4, name, "forwarding"))
        .collect();
    if names.len() > MOST_DEVICES {
        return vec![Remedy::advice(format!(
            "Let {} devices forward (net.ipv4.conf.DEVICE.forwarding=1), and find the program that switched it off.",
            names.len()
        ))];
    }
    let default = fault.namespace.settings.ipv4_default;
    let is_for_new = default.is_some_and(|default| !default.forwarding);
    if is_for_new {
        settings.push("net.ipv4.conf.default.forwarding".to_owned());
    }
    let nics = forwarding.devices.iter().any(|link| link.kind.is_none());
    let effect = match (is_for_new, nics) {
        (true, true) => {
            "devices of later pods forward too; a NIC stops joining received packets by itself (LRO)"
        }
        (true, false) => "devices of later pods forward too",
        (false, true) => "a NIC stops joining received packets by itself (LRO)",
        (false, false) => {
            "packets from one of these devices can leave by any other, as far as routes and rules let them"
        }
    };
    vec![
        change(
            fault.namespace,
            "Let the devices forward that these packets and their answers come by; then find the program that switched \
             it off, or it will do so again.",
            &with_value(&settings, 1),
            &with_value(&settings, 0),
            &names,
        )
        .with_effect(effect)
        .lasting(match fault.namespace.is_node {
            true => {
                "net.ipv4.conf.all.forwarding = 1 in a file of /etc/sysctl.d that comes last; IPForward= or \
                 IPv4Forwarding= of systemd-networkd"
            }
            false => {
                "net.ipv4.conf.all.forwarding among the sysctls of the pod's securityContext, if its kubelet allows that"
            }
        }),
    ]
}

/// Writing to `all` sets each device and `default` (addrconf_fixup_forwarding), the undo too: what forwarded before is
/// set again.
fn forward_ipv6(fault: &Fault<'_>, forwarding: &Forwarding<'_>) -> Vec<Remedy> {
    let namespace = fault.namespace;
    let was_on = |link: &&&Link| link.ipv6.is_some_and(|settings| settings.forwarding);
    let on: Vec<&Link> = forwarding.all.iter().filter(was_on).copied().collect();
    let (Some(_), Some(default)) = (
        namespace.settings.ipv6_all.filter(|all| !all.forwarding),
        namespace.settings.ipv6_default,
    ) else {
        let text = "See whether forwarding is off (0); if it is, net.ipv6.conf.all.forwarding=1 lets it forward.";
        let settings = ["net.ipv6.conf.all.forwarding".to_owned()];
        return vec![look(namespace, text, &settings, &[])];
    };
    let names = names(&on);
    const ALL: &str = "net.ipv6.conf.all.forwarding";
    let mut restored = vec![(ALL.to_owned(), 0)];
    if default.forwarding {
        restored.push(("net.ipv6.conf.default.forwarding".to_owned(), 1));
    }
    let devices = names.iter();
    restored.extend(devices.map(|name| (sysctl(Version::V6, name, "forwarding"), 1)));
    let hears = |link: &&&Link| link.ipv6.is_some_and(|settings| settings.accept_ra == 1);
    let hearing: Vec<&str> = forwarding
        .all
        .iter()
        .filter(hears)
        .map(|link| link.name.as_str())
        .collect();
    let effect = match hearing[..] {
        [] => "each device of the node forwards IPv6".to_owned(),
        _ => format!(
            "each device of the node forwards IPv6, and those with accept_ra 1 ({}) take no more default routes from \
             router advertisements: set accept_ra to 2 first where the node lives on them",
            say::list(&hearing)
        ),
    };
    let text = "Let the node forward IPv6; then find the program that switched it off, or it will do so again.";
    vec![
        change(namespace, text, &[(ALL.to_owned(), 1)], &restored, &names)
            .with_effect(effect)
            .lasting(
                "net.ipv6.conf.all.forwarding = 1 in a file of /etc/sysctl.d that comes last; IPv6Forwarding= of \
                 systemd-networkd",
            ),
    ]
}

fn reverse_path(window: &Window<'_>, fault: &Fault<'_>, filter: &ReversePath<'_>) -> Text {
    let packets = say::count(fault.tally.count, "packet");
    let device = fault.link.map_or_else(
        || say::namespace(fault.namespace),
        |link| say::device(link, Some(fault.namespace)),
    );
    let (within, seen) = (say::within(window), say::seen(&fault.assessment));
    let force = match (filter.own, filter.all) {
        (Some(own), Some(all)) => match own.max(all) {
            0 => " It is off by now.",
            1 => " It is strict (1): only a way back by this very device counts.",
            _ if filter.has_address == Some(false) => {
                " It is loose (2): any way back counts, but not on a device without an IPv4 address of its own, as \
                 this one is."
            }
            _ => " It is loose (2): any way back counts, and there is none.",
        },
        _ => "",
    };
    let hurts = match (filter.is_group, fault.assessment.harm) {
        (true, _) => format!(
            "Nobody: they were for a group or for everybody, and what came by the device that the way back leads to \
             was taken. {packets} refused{within}."
        ),
        (_, Harm::Outage) => {
            format!("These flows get nothing through {device}: {packets} refused{within}.{seen}")
        }
        _ => format!(
            "Not known: a sender with that source gets nothing through {device}, and a forged source is refused the same \
             way. {packets} refused{within}.{seen}"
        ),
    };
    Text {
        headline: format!("The reverse path filter of {device} refused {packets}"),
        what: format!(
            "The kernel looks up the way back to a packet's source, and refuses what came by another device.{force}"
        ),
        hurts,
    }
}

fn filter_proofs(fault: &Fault<'_>, filter: &ReversePath<'_>) -> Vec<Proof> {
    let mut proofs = Vec::new();
    if let (Some(link), Some(own)) = (fault.link, filter.own) {
        proofs.push(proof::setting(link, "rp_filter", own, "", "netlink"));
    }
    if let Some(all) = filter.all {
        let name = "net.ipv4.conf.all.rp_filter";
        proofs.push(Proof::new(name, all, "", "/proc/sys"));
    }
    if let (Some(link), Some(has_address)) = (fault.link, filter.has_address) {
        let value = if has_address { "yes" } else { "none" };
        proofs.push(proof::setting(link, "IPv4 address", value, "", "netlink"));
    }
    let counter = NamespaceCounter::ReversePathFilter.name();
    proofs.extend(proof::counter_rose(fault.namespace, counter, "packets"));
    proofs
}

fn filter_less(fault: &Fault<'_>, filter: &ReversePath<'_>) -> Remedy {
    const LASTING: &str =
        "the same settings in a file of /etc/sysctl.d that comes last, or of the network plugin";
    let name = fault.link.map_or("all", |link| link.name.as_str());
    let own = sysctl(Version::V4, name, "rp_filter");
    let all = "net.ipv4.conf.all.rp_filter".to_owned();
    let route = "If these packets are wanted, correct the way back to their source; or let them in";
    match &filter.fix {
        Fix::Device { from, to } => change(
            fault.namespace,
            &format!("{route} by setting the device's filter to {to}."),
            &[(own.clone(), *to)],
            &[(own, *from)],
            &[name],
        )
        .with_effect(format!("sources on {name} are no longer checked"))
        .lasting(LASTING),
        Fix::All {
            own: from,
            all: shared,
            lowered,
        } => {
            let mut settings = vec![(all, *shared)];
            if *from > 0 {
                settings.push((own, *from));
            }
            let lowered: Vec<&str> = lowered.iter().map(|link| link.name.as_str()).collect();
            let effect = match lowered[..] {
                [] => format!("sources on {name} are no longer checked"),
                _ => format!(
                    "sources on {name} are no longer checked, and those on {} only by each device's own value, which is \
                     lower",
                    say::list(&lowered)
                ),
            };
            change(
                fault.namespace,
                &format!("{route}: the larger of the device's value and that of all is in force, so that both have to be 0."),
                &settings.iter().map(|(name, _)| (name.clone(), 0)).collect::<Vec<_>>(),
                &settings,
                &[name],
            )
            .with_effect(effect)
            .lasting(LASTING)
        }
        Fix::Unknown => look(
            fault.namespace,
            "See which filter is in force: the larger of the two values. Loose mode (2) helps only where the device has \
             an IPv4 address of its own and some route leads to the source.",
            &[all, own],
            &[name],
        ),
    }
}
