//! The words about devices that hand on nothing.

use super::{
    discipline,
    judge::Fault,
    kind::{Kind, Lasts},
};
use crate::{
    Window,
    detectors::kit::{proof, say},
    evidence::{Link, LinkKind},
    finding::{Harm, Proof, Text},
    kernel::Reason,
};

/// As many disciplines as a person reads.
const DISCIPLINES_SHOWN: usize = 3;

pub(super) fn text(window: &Window<'_>, fault: &Fault<'_>) -> Text {
    Text {
        headline: headline(window, fault),
        what: what(window, fault),
        hurts: hurts(window, fault),
    }
}

fn name(fault: &Fault<'_>) -> String {
    say::device(fault.link, Some(fault.namespace))
}

/// The device that has to come up first: the other end of a veth, or the device below.
pub(super) fn other<'a>(window: &'a Window<'_>, link: &Link) -> Option<&'a Link> {
    let peer = window.topology.veth_peer(link);
    let below = || {
        let lower = link
            .peer
            .as_ref()
            .filter(|_| link.kind != Some(LinkKind::Veth))?;
        window.topology.link(lower.netns?, lower.ifindex)
    };
    peer.or_else(below)
}

fn named(window: &Window<'_>, link: &Link) -> String {
    say::device(link, window.namespace(link.netns))
}

fn headline(window: &Window<'_>, fault: &Fault<'_>) -> String {
    let name = name(fault);
    let packets = say::count(fault.tally.count, "packet");
    match fault.kind {
        Kind::NoReader(Lasts::Still) if window.tun_holders.missing().is_some() => {
            format!("No program was seen that has {name} open: {packets} went nowhere")
        }
        Kind::NoReader(Lasts::Still) => {
            format!("No program has {name} open: {packets} went nowhere")
        }
        Kind::NoReader(Lasts::Over) => {
            format!("No program had {name} open for a while: {packets} lost")
        }
        Kind::DeviceDown => format!("{name} is down: {packets} refused"),
        Kind::NoCarrier(Lasts::Still) => {
            let why = match other(window, fault.link) {
                Some(other) if !other.is_up() => format!(", {} is down", named(window, other)),
                _ => String::new(),
            };
            format!("{name} has no carrier{why}: {packets} could not be sent")
        }
        Kind::NoCarrier(Lasts::Over) => {
            format!("{name} had no carrier for a while: {packets} lost")
        }
        Kind::NotYetActive => format!("{name} was not active yet: {packets} could not be sent"),
        Kind::Full => {
            let why = match limit(window, fault) {
                Limit::Queue => format!("The queue of {name} was full"),
                Limit::Flow => {
                    format!("A flow had as many packets waiting at {name} as fq lets it")
                }
                Limit::Horizon => {
                    format!("Packets at {name} were to leave later than fq lets them wait")
                }
                Limit::QueueOrFlow => {
                    format!("The queue of {name}, or one flow's share of it, was full")
                }
            };
            format!("{why}: {packets} dropped before they were sent")
        }
        Kind::Signal if matches!(fault.assessment.harm, Harm::None | Harm::Delay) => {
            format!("{name} dropped {packets} so that their senders slow down")
        }
        Kind::Signal => {
            format!("The queue of {name} was congested: {packets} dropped before they were sent")
        }
        Kind::Shaped => format!("The shaper of {name} dropped {packets}, as somebody set it"),
    }
}

fn what(window: &Window<'_>, fault: &Fault<'_>) -> String {
    let name = &fault.link.name;
    match fault.kind {
        Kind::NoReader(_) if is_on_top(fault.link) => format!(
            "{name} hands what comes in to the program that has it open, a virtual machine as a rule. {}, so \
             the frames for the guest climb this node's own stack, which has no use for them.",
            nobody(window, fault)
        ),
        Kind::NoReader(_) => format!(
            "What is sent through {name} goes to the program that has it open, a virtual machine or a VPN as a rule. \
             {}, so the device has no carrier and the kernel drops what it is to send.",
            nobody(window, fault)
        ),
        Kind::DeviceDown => format!(
            "{name} is switched off, so it takes nothing: neither from the node nor from a program behind it."
        ),
        Kind::NoCarrier(_) => format!(
            "While a device has no carrier, the kernel drops what it is to send. {}",
            why_without(window, fault)
        ),
        Kind::NotYetActive => format!(
            "{name} had not sent anything before. Until the other end of a device is up, the kernel drops what it is to \
             send; it is ready by now."
        ),
        Kind::Full => format!(
            "What {name} is to send waits in {}, which takes {}",
            disciplines(fault.link),
            match limit(window, fault) {
                Limit::Queue => {
                    "no more when it is full: the device sends slower than programs do, or they send in bursts."
                }
                Limit::Flow => {
                    "only so many packets of one flow (flow_limit): the flow is sent slower than its program sends, or in \
                     bursts."
                }
                Limit::Horizon => {
                    "no packet that is to leave too late (horizon): its program, or the pace of its flow, gave it a time \
                     too far ahead."
                }
                Limit::QueueOrFlow => {
                    "only so many packets in all (limit) and of one flow (flow_limit): they are sent slower than programs \
                     send, or in bursts."
                }
            }
        ),
        Kind::Signal => format!(
            "What {name} is to send waits in {}, which drops packets early, and those that find no room, so that TCP \
             sends slower. A longer queue would only make everything late.",
            disciplines(fault.link)
        ),
        Kind::Shaped => format!(
            "What {name} is to send passes the queueing discipline {}, which delays and drops packets. The kernel sets \
             none such by itself: a person, a program or a bandwidth limit of a pod did.",
            discipline::shaper(fault.link).unwrap_or("of a kind that shapes")
        ),
    }
}

/// The limit of a queue that was reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    Queue,
    /// The share of one flow.
    Flow,
    /// The time that a packet may wait.
    Horizon,
    /// Reasons tell of none, or of several.
    QueueOrFlow,
}

/// The limit that was reached: `fq` has more than one limit, and some kernels' reasons tell which.
fn limit(window: &Window<'_>, fault: &Fault<'_>) -> Limit {
    let mut reasons = fault.tally.drops(window).map(|key| &key.reason);
    let is_fq = || disciplines_of(fault.link).contains(&"fq");
    let of = |reason: &Reason| match reason {
        reason if *reason == Reason::FQ_FLOW_LIMIT => Limit::Flow,
        reason if *reason == Reason::FQ_HORIZON_LIMIT => Limit::Horizon,
        reason if *reason == Reason::FQ_BAND_LIMIT || *reason == Reason::QDISC_OVERLIMIT => {
            Limit::Queue
        }
        _ if is_fq() => Limit::QueueOrFlow,
        _ => Limit::Queue,
    };
    let first = reasons.next().map_or(Limit::Queue, of);
    match reasons.all(|reason| of(reason) == first) {
        true => first,
        false => Limit::QueueOrFlow,
    }
}

/// `Nobody has`, as far as it is known.
fn nobody(window: &Window<'_>, fault: &Fault<'_>) -> &'static str {
    match (fault.kind, window.tun_holders.missing()) {
        (Kind::NoReader(Lasts::Over), _) => "For a while nobody had",
        (_, Some(_)) => "It seems that nobody has (not all programs could be looked into)",
        (_, None) => "Nobody has",
    }
}

/// The queueing discipline that dropped: `its queueing discipline fq_codel`.
fn disciplines(link: &Link) -> String {
    match disciplines_of(link).as_slice() {
        [] => "its queueing discipline".to_owned(),
        kinds => format!("its queueing discipline {}", say::list(kinds)),
    }
}

/// The kinds of those that dropped; else that of the root.
fn disciplines_of(link: &Link) -> Vec<&str> {
    let dropping = discipline::dropping(link);
    let mut kinds: Vec<&str> = dropping.iter().map(|one| one.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        kinds.extend(link.qdisc.as_deref());
    }
    kinds
}

/// A macvtap or ipvtap: frames come from the device below.
fn is_on_top(link: &Link) -> bool {
    matches!(link.kind, Some(LinkKind::MacVtap | LinkKind::IpVtap))
}

fn why_without(window: &Window<'_>, fault: &Fault<'_>) -> String {
    let link = fault.link;
    let is_over = fault.kind == Kind::NoCarrier(Lasts::Over);
    match (&link.kind, other(window, link)) {
        _ if is_over => {
            "It has one again; its other end or its cable was away meanwhile.".to_owned()
        }
        (Some(LinkKind::Veth), Some(end)) if !end.is_up() => {
            format!("Its other end, {}, is switched off.", named(window, end))
        }
        (Some(LinkKind::Veth), _) => "Its other end is down or gone.".to_owned(),
        (Some(LinkKind::Bridge | LinkKind::Bond | LinkKind::Team), _) => {
            "It has no port that it can use: none has a carrier, or spanning tree, LACP, ARP monitoring or a minimum of \
             links holds them back."
                .to_owned()
        }
        (Some(LinkKind::Tun), _) => {
            "A program has it open and says that there is nobody behind it.".to_owned()
        }
        (_, Some(lower)) => format!(
            "It has that of {} below it, which is down or has none itself.",
            named(window, lower)
        ),
        (None, None) => "Its cable is out, or the switch at the other end is off.".to_owned(),
        (Some(_), None) => "The device below or behind it is down.".to_owned(),
    }
}

fn hurts(window: &Window<'_>, fault: &Fault<'_>) -> String {
    let (seen, within) = (say::seen(&fault.assessment), say::within(window));
    let packets = say::count(fault.tally.count, "packet");
    let name = &fault.link.name;
    let part = say::part(&fault.assessment, "packet");
    match (fault.assessment.harm, fault.kind) {
        (_, Kind::Shaped) => format!("As it is meant to: {part} dropped{within}.{seen}"),
        (Harm::Delay, _) => format!(
            "{part} came 200 ms late or later, because TCP learned of the drop only by a timeout.{seen}"
        ),
        (Harm::None, Kind::Signal) => format!(
            "Nobody: {packets} of TCP dropped{within}, as it is meant to be. TCP sends its own again and then slower, \
             and none was seen to come 200 ms late."
        ),
        (Harm::Outage, Kind::Signal) => format!(
            "These connections: the same segment dropped three times or more, {packets} dropped{within} in all.{seen}"
        ),
        (Harm::Loss, Kind::Signal) => format!(
            "{part} that {name} was to send were dropped. TCP sends its own again, UDP does not.{seen}"
        ),
        (_, Kind::Signal) => format!(
            "Not known: {packets} dropped{within}. TCP sends its own again and then slower; whether these are such is not known.{seen}"
        ),
        (_, Kind::Full) => format!(
            "{part} that {name} was to send were lost. TCP sends its own again, UDP does not.{seen}"
        ),
        (Harm::None, _) => {
            format!("Nobody: only broadcasts and multicasts were sent there, {packets}{within}.")
        }
        (Harm::Outage, Kind::NoReader(_)) => format!(
            "The guest or program behind {name} gets nothing: {packets} for it lost{within}.{seen}"
        ),
        (Harm::Outage, _) => {
            format!("Nothing gets through {name}: {packets} lost{within}.{seen}")
        }
        (Harm::Loss, Kind::NotYetActive) => {
            format!("Who sent them: {packets} lost while the other end came up{within}.{seen}")
        }
        (Harm::Loss, _) => format!("{part} were lost until then.{seen}"),
        _ => format!("{packets} lost{within}; whether somebody waits for them is not known.{seen}"),
    }
}

pub(super) fn proofs(window: &Window<'_>, fault: &Fault<'_>) -> Vec<Proof> {
    let link = fault.link;
    let kind = link
        .kind
        .as_ref()
        .map_or("a NIC".to_owned(), ToString::to_string);
    let mut proofs = vec![
        proof::setting(link, "kind", kind, "", "netlink"),
        proof::setting(link, "state at the end", state(link), "", "netlink"),
    ];
    if matches!(fault.kind, Kind::Full | Kind::Signal | Kind::Shaped) {
        return of_disciplines(link);
    }
    if matches!(fault.kind, Kind::NoReader(_)) {
        proofs.push(readers(window, link));
    }
    if let (Kind::NoCarrier(Lasts::Still), Some(other)) = (fault.kind, other(window, link)) {
        let what = "state at the end";
        proofs.push(proof::setting(other, what, state(other), "", "netlink"));
    }
    let sent = link.increase(|stats| stats.tx_packets);
    let dropped = link.increase(|stats| stats.tx_dropped);
    proofs.push(proof::link_rose(link, "tx_packets", sent));
    if dropped > 0 {
        proofs.push(proof::link_rose(link, "tx_dropped", dropped));
    }
    proofs
}

fn of_disciplines(link: &Link) -> Vec<Proof> {
    let root = link.qdisc.as_deref().unwrap_or("not known");
    let mut proofs = vec![proof::setting(
        link,
        "queueing discipline",
        root,
        "",
        "netlink",
    )];
    for one in discipline::dropping(link)
        .into_iter()
        .take(DISCIPLINES_SHOWN)
    {
        let name = format!(
            "drops of {} {:x}: on {}",
            one.kind,
            one.handle >> 16,
            link.name
        );
        let value = format!("+{}", one.increase());
        proofs.push(Proof::new(name, value, "packets", "netlink"));
        let limit = one
            .limit
            .map(|limit| proof::setting(link, "limit", limit, "packets", "netlink"));
        proofs.extend(limit);
    }
    if link.disciplines.is_none() {
        let what = "its limit and statistics";
        proofs.push(proof::setting(link, what, "not read", "", "netlink"));
    }
    let sent = link.increase(|stats| stats.tx_packets);
    proofs.push(proof::link_rose(link, "tx_packets", sent));
    proofs
}

fn readers(window: &Window<'_>, link: &Link) -> Proof {
    let holders = window.tun_holders_of(link).len();
    let value = match window.tun_holders.missing() {
        Some(_) if holders == 0 => "none seen, not all could be looked into".to_owned(),
        _ => holders.to_string(),
    };
    let name = format!("processes that have {} open at the end", link.name);
    Proof::new(name, value, "", "/proc")
}

fn state(link: &Link) -> &'static str {
    if !link.is_up() {
        "down"
    } else if link.lacks_carrier() {
        "up, no carrier"
    } else {
        "up, carrier"
    }
}
