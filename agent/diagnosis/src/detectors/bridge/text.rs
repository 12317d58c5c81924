//! The words about frames that a bridge does not pass on.

use super::judge::{Fault, Kind};
use crate::{
    Window,
    detectors::kit::{change::switch_on, proof, say},
    evidence::{BridgePort, Link},
    finding::{Harm, Proof, Remedy, Text},
};

/// BR_STATE_*, from 0 on.
const STATES: [&str; 5] = [
    "disabled",
    "listening",
    "learning",
    "forwarding",
    "blocking",
];

pub(super) fn text(window: &Window<'_>, fault: &Fault<'_>) -> Text {
    Text {
        headline: headline(fault),
        what: what(fault),
        hurts: hurts(window, fault),
    }
}

fn name(fault: &Fault<'_>, link: &Link) -> String {
    say::device(link, Some(fault.namespace))
}

fn port(link: &Link) -> BridgePort {
    link.bridge_port.unwrap_or_default()
}

fn state(state: u8) -> &'static str {
    STATES.get(usize::from(state)).copied().unwrap_or("unknown")
}

fn headline(fault: &Fault<'_>) -> String {
    let packets = say::count(fault.tally.count, "packet");
    let (bridge, ingress) = (&fault.bridge.name, name(fault, fault.ingress));
    match fault.kind {
        Kind::NotForwarding(_) => {
            let blamed = fault.subject();
            let now = state(port(blamed).state);
            let blamed = name(fault, blamed);
            match fault.assessment.harm {
                Harm::Outage => format!(
                    "Nothing passes {blamed}: as a port of {bridge} it is {now}, {packets} refused"
                ),
                _ => format!("{blamed} did not forward yet as a port of {bridge}: {packets} lost"),
            }
        }
        Kind::HairpinOff => format!(
            "{bridge} sends nothing back to {ingress}, from where it came: {packets} refused"
        ),
        Kind::Isolated(_) => {
            format!(
                "{bridge} refused {packets} from the isolated port {ingress} to another isolated port"
            )
        }
        Kind::Locked => {
            format!(
                "The locked port {ingress} refused {packets} from addresses that it does not know"
            )
        }
    }
}

fn what(fault: &Fault<'_>) -> String {
    let bridge = &fault.bridge.name;
    match fault.kind {
        Kind::NotForwarding(_) => {
            let settings = fault.bridge.bridge.unwrap_or_default();
            let blamed = fault.subject();
            if is_dead(blamed) {
                let why = match blamed.is_up() {
                    true => "has no carrier: its other end is down or gone",
                    false => "is switched off",
                };
                return format!("A bridge disables a port that is down. {} {why}.", say::device(blamed, Some(fault.namespace)));
            }
            let why = match (settings.stp, settings.forward_delay_cs) {
                (true, Some(delay)) => format!(
                    "{bridge} runs a spanning tree: a new port listens for {0} s, then learns for {0} s, and only \
                     then forwards.",
                    delay / 100
                ),
                (true, None) => format!(
                    "{bridge} runs a spanning tree: a new port listens and learns for a while before it forwards."
                ),
                (false, _) => format!(
                    "{bridge} runs no spanning tree, so that a program or a person has set the state."
                ),
            };
            format!("A bridge passes frames on only between ports that forward. {why}")
        }
        Kind::HairpinOff => format!(
            "The receiver is behind the same port as the sender, mostly one pod that talks to itself through the \
             address of its service, which the node translates within {bridge} (br_netfilter). A bridge sends a frame \
             back to its port only where hairpin is on."
        ),
        Kind::Isolated(_) => {
            let towards = fault.egress.map_or_else(
                || "another isolated port".to_owned(),
                |egress| name(fault, egress),
            );
            format!(
                "{} and {towards} are isolated: {bridge} passes nothing between two such ports. Somebody set it so.",
                name(fault, fault.ingress),
            )
        }
        Kind::Locked => "A locked port lets only frames in whose source the forwarding table has for that port. \
                         Somebody set it so (802.1X, MAB)."
            .to_owned(),
    }
}

fn hurts(window: &Window<'_>, fault: &Fault<'_>) -> String {
    let (seen, within) = (say::seen(&fault.assessment), say::within(window));
    let packets = say::count(fault.tally.count, "packet");
    match (fault.kind, fault.assessment.harm) {
        (Kind::NotForwarding(_), Harm::Outage) => {
            format!(
                "What is behind that port reaches nobody through the bridge: {packets} refused{within}.{seen}"
            )
        }
        (Kind::NotForwarding(_), _) => format!(
            "{} that came by that port were lost until it forwarded.{seen}",
            say::part(&fault.assessment, "packet"),
        ),
        (Kind::HairpinOff, _) => format!(
            "The pod behind {} does not reach itself that way: {packets} refused{within}.{seen} Others do.",
            name(fault, fault.ingress),
        ),
        (Kind::Isolated(_) | Kind::Locked, _) => {
            format!("As it is meant to: {packets} refused{within}.{seen}")
        }
    }
}

pub(super) fn proofs(fault: &Fault<'_>) -> Vec<Proof> {
    let of_port = |link: &Link, what: &'static str, value: &str| {
        proof::setting(link, what, value, "", "netlink")
    };
    let on_off = |flag: Option<bool>| if flag == Some(true) { "on" } else { "off" };
    let ingress = fault.ingress;
    match fault.kind {
        Kind::NotForwarding(_) => {
            let blamed = fault.subject();
            let before = port(blamed).state_before.map_or("no port", state);
            let states = format!("{before}, {}", state(port(blamed).state));
            let stp = fault.bridge.bridge.is_some_and(|bridge| bridge.stp);
            vec![
                of_port(blamed, "port state at the start and the end", &states),
                of_port(fault.bridge, "spanning tree", on_off(Some(stp))),
            ]
        }
        Kind::HairpinOff => vec![of_port(ingress, "hairpin", on_off(port(ingress).hairpin))],
        Kind::Isolated(_) => [Some(ingress), fault.egress]
            .into_iter()
            .flatten()
            .map(|link| of_port(link, "isolated", on_off(port(link).isolated)))
            .collect(),
        Kind::Locked => vec![of_port(ingress, "locked", on_off(port(ingress).locked))],
    }
}

pub(super) fn remedies(fault: &Fault<'_>) -> Vec<Remedy> {
    let (ingress, bridge) = (fault.ingress.name.as_str(), fault.bridge.name.as_str());
    let command = |text: &str, words: &[&str], name: &str| {
        Remedy::command_in(fault.namespace, text, words, &[name])
    };
    match fault.kind {
        Kind::NotForwarding(_) => not_forwarding(fault),
        Kind::HairpinOff => {
            let set = |value: &str| {
                let words = ["bridge", "link", "set", "dev", ingress, "hairpin", value];
                command(
                    "Let the bridge send frames back to that port.",
                    &words,
                    ingress,
                )
            };
            vec![
                set("on")
                    .undone_by(set("off"))
                    .with_effect("broadcasts of that port come back to it as well")
                    .lasting("hairpinMode: true in the configuration of the bridge plugin (CNI); the kubelet's flag is gone"),
            ]
        }
        Kind::Isolated(_) | Kind::Locked => {
            let words = ["bridge", "-details", "link", "show", "master", bridge];
            vec![command(
                "If they should pass, see the flags of the ports.",
                &words,
                bridge,
            )]
        }
    }
}

/// The bridge itself disables a port that is down or has no carrier, and lets it forward no sooner
/// (`br_port_carrier_check`, `br_set_port_state`).
fn is_dead(port: &Link) -> bool {
    !port.is_up() || port.lacks_carrier()
}

fn not_forwarding(fault: &Fault<'_>) -> Vec<Remedy> {
    let bridge = fault.bridge.name.as_str();
    let blamed = fault.subject();
    let name = blamed.name.as_str();
    if !blamed.is_up() {
        return vec![switch_on(blamed, fault.namespace)];
    }
    if is_dead(blamed) {
        let words = ["ip", "-details", "link", "show", "dev", name];
        let text = "See what it is connected to: the bridge lets it forward once it has a carrier.";
        return vec![Remedy::command_in(fault.namespace, text, &words, &[name])];
    }
    let command = |text: &str, words: &[&str], name: &str| {
        Remedy::command_in(fault.namespace, text, words, &[name])
    };
    let has_spanning_tree = fault.bridge.bridge.is_some_and(|bridge| bridge.stp);
    if fault.ways_on > 1 {
        let advice = match has_spanning_tree {
            true => format!(
                "{} ways lead on from {bridge}, so that frames may circle without its spanning tree: keep it. Where the \
                 port leads to hosts only, shorten the forward delay of the tree's root bridge (2 s at the least).",
                fault.ways_on
            ),
            false => format!(
                "{} ways lead on from {bridge}, so that frames may circle when the port forwards: find the program that set \
                 its state.",
                fault.ways_on
            ),
        };
        let words = ["bridge", "-details", "link", "show", "master", bridge];
        let look = command("See the state of each port.", &words, bridge);
        return vec![Remedy::advice(advice), look];
    }
    if has_spanning_tree {
        let set = |value: &str| {
            let words = [
                "ip",
                "link",
                "set",
                "dev",
                bridge,
                "type",
                "bridge",
                "stp_state",
                value,
            ];
            let text = format!(
                "End the spanning tree of {bridge}: ports forward at once. {}, so that no frame can circle.",
                match fault.ways_on {
                    0 => "Its ports lead to single hosts",
                    _ => "Only one way leads on from it",
                }
            );
            command(&text, &words, bridge)
        };
        return vec![
            set("0")
                .undone_by(set("1"))
                .with_effect(
                    "a second way that is added later is no longer cut: frames would circle for ever",
                )
                .lasting(
                    "STP=no in [Bridge] of the .netdev file, or stp off where the bridge is made",
                ),
        ];
    }
    let state = port(blamed).state;
    if fault.assessment.harm != Harm::Outage {
        return Vec::new();
    }
    let set = |value: &str| {
        let words = ["bridge", "link", "set", "dev", name, "state", value];
        command("Let the port forward.", &words, name)
    };
    vec![set("3").undone_by(set(&state.to_string()))]
}
