//! The words about a promiscuous device: who asked, what it lets in, how to end it.

pub(super) mod multicast;
pub(super) mod ports;
mod unexplained;

use super::{
    chain,
    judge::{Cause, Promiscuous},
    users::Users,
};
use crate::{
    Window,
    detectors::kit::say,
    evidence::{Link, LinkKind, Owner},
    finding::{Proof, Remedy, Text},
};

/// Processes named in one finding.
const MOST_PROCESSES: usize = 8;

pub(super) const UNREAD_FILTERS: &str =
    "unicast filters of some devices were not read: BPF reads those of namespaces with a process";

const LETS_IN_ALL: &str =
    "A promiscuous device takes every frame on its wire, also those for other MAC addresses.";

pub(super) fn text(window: &Window<'_>, found: &Promiscuous<'_>) -> Text {
    let name = &found.link.name;
    let (headline, what, hurts) = match &found.cause {
        Cause::Passthru(_) => (
            format!(
                "{name} is promiscuous for the passthru device on it: {} <- {}",
                chain_of(window, found.link),
                names(&found.users.passthru)
            ),
            "A macvlan or macvtap device in passthru mode hands the whole device to its owner, a virtual machine as a \
             rule, and raises promiscuity while it is up."
                .to_owned(),
            "Nobody, by design: the owner of the passthru device decides which addresses it uses.",
        ),
        Cause::PacketSockets(owners) => (
            match owners.as_slice() {
                [] => format!("{name} is promiscuous because of a capture on it"),
                [owner] => format!(
                    "{name} is promiscuous because {} captures on it",
                    say::process_of_pod(owner)
                ),
                [owner, others @ ..] => format!(
                    "{name} is promiscuous because {} capture on it",
                    say::and_others(&say::process_of_pod(owner), others.len(), "process")
                ),
            },
            "A packet socket asked for it (PACKET_ADD_MEMBERSHIP, as tcpdump does unless told not to). It ends with \
             the socket."
                .to_owned(),
            "Nobody: a capture takes copies. It costs CPU time while it runs.",
        ),
        Cause::UserRequest => (
            with_chain(
                format!("{name} is promiscuous because someone set it so"),
                window,
                found.link,
            ),
            "A person or program set IFF_PROMISC (ip link set promisc on, or SIOCSIFFLAGS). The flag stays until it is \
             cleared; the kernel does not store who set it."
                .to_owned(),
            "Nobody. It costs CPU time for frames that no program here wants.",
        ),
        Cause::UnicastFilter(uppers) => {
            let whose = match uppers.as_slice() {
                [] => String::new(),
                uppers => format!(" of {}", names(uppers)),
            };
            (
                format!("{name} is promiscuous because it cannot filter one more unicast address"),
                format!(
                    "More unicast addresses{whose} were added to it than its filter holds, or it has no such filter, \
                     as veth and dummy devices. The kernel then turns promiscuity on."
                ),
                "Nobody: by it the kernel serves several addresses on this device.",
            )
        }
        Cause::Unexplained => unexplained::text(window, found),
    };
    Text {
        // The headline has the chain; what happens is read without it.
        what: format!("{headline}. {what} {LETS_IN_ALL}"),
        headline,
        hurts: hurts.to_owned(),
    }
}

pub(super) fn consequence(found: &Promiscuous<'_>) -> String {
    let name = &found.link.name;
    format!("{name} is promiscuous and takes frames that it would filter out.")
}

pub(super) fn details(window: &Window<'_>, found: &Promiscuous<'_>) -> Vec<(&'static str, String)> {
    let Cause::PacketSockets(owners) = &found.cause else {
        return Vec::new();
    };
    let shown = owners.iter().take(MOST_PROCESSES);
    let mut details: Vec<_> = shown
        .map(|owner| ("Process", say::process_of_pod(owner)))
        .collect();
    let chain = chain_of(window, found.link);
    if chain != found.link.name {
        details.push(("Chain", chain));
    }
    details
}

pub(super) fn proofs(found: &Promiscuous<'_>) -> Vec<Proof> {
    let Promiscuous { link, users, .. } = found;
    let name = &link.name;
    let own = match found.cause {
        Cause::PacketSockets(_) => Some(Proof::new(
            format!("packet sockets with a promiscuous membership on {name}"),
            users.memberships(link),
            "memberships",
            "BPF iterator",
        )),
        Cause::UserRequest => Some(Proof::new(
            format!("{name} ifi_flags has IFF_PROMISC"),
            format!("{:#x}", link.requested_flags),
            "",
            "netlink",
        )),
        Cause::UnicastFilter(_) if link.unicast_promiscuous == Some(true) => Some(Proof::new(
            format!("{name} uc_promisc"),
            "true",
            "",
            "BPF iterator",
        )),
        Cause::UnicastFilter(_) | Cause::Passthru(_) | Cause::Unexplained => None,
    };
    own.into_iter().chain([sum_proof(link, users)]).collect()
}

/// The count of users, as the sum of those that were found: `1 = 1 bridge + 0 user + 0 sockets`.
fn sum_proof(link: &Link, users: &Users<'_>) -> Proof {
    let memberships = users.memberships(link);
    let open_vswitch =
        usize::from(users.open_vswitch.is_some()) + usize::from(users.open_vswitch_internal);
    let always = [
        (usize::from(users.bridge.is_some()), "bridge"),
        (usize::from(users.requested), "user"),
        (
            memberships,
            if memberships == 1 {
                "socket"
            } else {
                "sockets"
            },
        ),
    ];
    let seldom = [
        (open_vswitch, "Open vSwitch"),
        (users.passthru.len(), "passthru"),
        (usize::from(users.unicast_filter), "unicast filter"),
        (users.inherited.len(), "passed down"),
        (
            usize::try_from(users.unexplained).unwrap_or(usize::MAX),
            "unexplained",
        ),
    ];
    let seldom = seldom.into_iter().filter(|(count, _)| *count > 0);
    let terms: Vec<String> = always
        .into_iter()
        .chain(seldom)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let mut value = format!("{} = {}", link.promiscuity, terms.join(" + "));
    if let Some(allmulti) = link.allmulti {
        value.push_str(&format!("; allmulti {allmulti}"));
    }
    Proof::new(format!("{} promiscuity", link.name), value, "", "netlink")
}

/// `; vlan_filtering 0` of a bridge.
fn vlan_filtering(switch: &Link) -> String {
    match switch.bridge {
        Some(settings) => format!("; vlan_filtering {}", u8::from(settings.vlan_filtering)),
        None => String::new(),
    }
}

pub(super) fn remedies(window: &Window<'_>, found: &Promiscuous<'_>) -> Vec<Remedy> {
    let link = found.link;
    match &found.cause {
        Cause::Passthru(upper) => vec![filter_again(upper)],
        Cause::PacketSockets(owners) => {
            let text = "None needed. See which program it is; stop it, or let it capture without promiscuous mode (tcpdump -p):";
            let look = |owner: &&Owner| Remedy::command_about(owner, text, &["ps", "-f", "-p"]);
            owners.first().map(look).into_iter().collect()
        }
        Cause::UserRequest => {
            let text = "Clear the flag, if nobody needs it:";
            let switched = |state: &str| {
                let words = ["ip", "link", "set", "dev", &link.name, "promisc", state];
                on_device(window, link, text, &words)
            };
            let off = switched("off").zip(switched("on"));
            off.map(|(off, on)| off.undone_by(on)).into_iter().collect()
        }
        Cause::UnicastFilter(_) => vec![Remedy::advice("None needed.")],
        Cause::Unexplained => on_device(
            window,
            link,
            "Look at the device and what is stacked on it; the kernel log says when it became promiscuous:",
            &["ip", "-details", "link", "show", "dev", &link.name],
        )
        .into_iter()
        .collect(),
    }
}

/// No command: iproute2 sets the flag and cannot clear it, so there is no undo but to make the device anew.
fn filter_again(passthru: &Link) -> Remedy {
    let kind = passthru.kind.as_ref().unwrap_or(&LinkKind::MacVlan);
    Remedy::advice(format!(
        "None needed. Where the owner of {} uses only the device's own address, make the device with `type {kind} mode \
         passthru nopromisc`.",
        passthru.name
    ))
}

/// A command on the device itself.
fn on_device(window: &Window<'_>, link: &Link, text: &str, words: &[&str]) -> Option<Remedy> {
    let namespace = window.namespace(link.netns)?;
    Some(Remedy::command_in(namespace, text, words, &[&link.name]))
}

fn names(links: &[&Link]) -> String {
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    say::list(&names)
}

/// `eth0, eth1 <- bond0 <- bond0.100`.
fn chain(window: &Window<'_>, link: &Link, follows: impl Fn(&Link) -> bool + Copy) -> String {
    let level = |links: Vec<&Link>| {
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        say::list_with(&names, ", ")
    };
    let levels = chain::chain(window, link, follows).into_iter();
    levels.map(level).collect::<Vec<_>>().join(" <- ")
}

fn chain_of(window: &Window<'_>, link: &Link) -> String {
    chain(window, link, Link::is_promiscuous)
}

/// The sentence, and the chain of devices where there is more than one.
fn with_chain(sentence: String, window: &Window<'_>, link: &Link) -> String {
    let chain = chain_of(window, link);
    if chain == link.name {
        sentence
    } else {
        format!("{sentence}: {chain}")
    }
}
