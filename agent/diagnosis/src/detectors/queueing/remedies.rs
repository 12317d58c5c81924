//! The commands that end it, each with its undo.

use super::{
    discipline,
    judge::Fault,
    kind::{Kind, Lasts},
    text::other,
};
use crate::{
    Window,
    detectors::kit::change::switch_on,
    evidence::{Link, LinkKind, QueueingDiscipline},
    finding::Remedy,
};

/// From here on a longer queue only makes packets wait longer.
const LONG_QUEUE: u32 = 10_000;

pub(super) fn remedies(window: &Window<'_>, fault: &Fault<'_>) -> Vec<Remedy> {
    let link = fault.link;
    if window.has_ended(link) {
        return Vec::new();
    }
    match fault.kind {
        Kind::NoReader(Lasts::Still) => vec![look(
            fault,
            "Start the guest or program that reads it; see its kind and the user that it belongs to. If nobody needs it \
             any more, remove it.",
        )],
        Kind::DeviceDown => switched_on(window, link).into_iter().collect(),
        Kind::NoCarrier(Lasts::Still) => without_carrier(window, fault),
        Kind::Full => full(fault),
        Kind::Shaped => vec![disciplines_of(
            fault,
            "If so many are more than was meant, see its settings.",
        )],
        Kind::NoReader(Lasts::Over)
        | Kind::NoCarrier(Lasts::Over)
        | Kind::NotYetActive
        | Kind::Signal => Vec::new(),
    }
}

/// A look at the disciplines of the device, with their limits and statistics.
fn disciplines_of(fault: &Fault<'_>, text: &str) -> Remedy {
    let name = fault.link.name.as_str();
    let words = ["tc", "-statistics", "qdisc", "show", "dev", name];
    Remedy::command_in(fault.namespace, text, &words, &[name])
}

/// A longer queue where its length is known, and what helps when the device is too slow for good.
fn full(fault: &Fault<'_>) -> Vec<Remedy> {
    let lengthened = lengthen(fault).unwrap_or_else(|| {
        disciplines_of(
            fault,
            "See which discipline drops, and its limit, before you change any.",
        )
    });
    let advice = "Where it is full for long, no length helps: let programs send less at once, or the device send faster.";
    vec![lengthened, Remedy::advice(advice)]
}

fn lengthen(fault: &Fault<'_>) -> Option<Remedy> {
    let link = fault.link;
    let name = link.name.as_str();
    let dropping = discipline::dropping(link);
    let (length, words): (u32, Vec<String>) = match dropping.as_slice() {
        [one] if one.kind == "pfifo" => {
            let mut words = vec!["tc", "qdisc", "change", "dev", name]
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>();
            words.extend(place_of(one));
            words.extend(["pfifo", "limit"].map(str::to_owned));
            (one.limit?, words)
        }
        all if all.iter().all(|one| one.kind == "pfifo_fast")
            && link.qdisc.as_deref() == Some("pfifo_fast") =>
        {
            let words = ["ip", "link", "set", "dev", name, "txqueuelen"];
            (link.tx_queue_length, words.map(str::to_owned).to_vec())
        }
        _ => return None,
    };
    let longer = length.saturating_mul(2).min(LONG_QUEUE);
    if length == 0 || longer <= length {
        return None;
    }
    let set = |length: u32| {
        let length = length.to_string();
        let words = words.iter().map(String::as_str).chain([length.as_str()]);
        let words: Vec<&str> = words.collect();
        Remedy::command_in(fault.namespace, "Lengthen the queue.", &words, &[name])
    };
    let effect = format!(
        "{longer} packets wait instead of {length}: longer bursts fit, and packets are late meanwhile"
    );
    Some(set(longer).undone_by(set(length)).with_effect(effect))
}

/// The words by which `tc` finds the discipline: `root`, or its parent and its handle.
fn place_of(discipline: &QueueingDiscipline) -> Vec<String> {
    if discipline.is_root() {
        return vec!["root".to_owned()];
    }
    let (major, minor) = (discipline.parent >> 16, discipline.parent & 0xffff);
    let mut words = vec!["parent".to_owned(), format!("{major:x}:{minor:x}")];
    if discipline.handle != 0 {
        words.extend([
            "handle".to_owned(),
            format!("{:x}:", discipline.handle >> 16),
        ]);
    }
    words
}

fn look(fault: &Fault<'_>, text: &str) -> Remedy {
    let name = fault.link.name.as_str();
    let words = ["ip", "-details", "link", "show", "dev", name];
    Remedy::command_in(fault.namespace, text, &words, &[name])
}

fn without_carrier(window: &Window<'_>, fault: &Fault<'_>) -> Vec<Remedy> {
    let other = other(window, fault.link);
    let switched_off = other.filter(|other| !other.is_up());
    if let Some(remedy) = switched_off.and_then(|other| switched_on(window, other)) {
        return vec![remedy];
    }
    let text = match &fault.link.kind {
        None => "Plug the cable in, or see the port of the switch; see the device's state.",
        Some(LinkKind::Tun) => "See why the guest or program switched its end off.",
        _ => "Bring up what it depends on; see what it is connected to.",
    };
    vec![look(fault, text)]
}

/// The command that switches the device on; `None` where its namespace is not known.
fn switched_on(window: &Window<'_>, link: &Link) -> Option<Remedy> {
    let namespace = window.namespace(link.netns)?;
    Some(switch_on(link, namespace))
}
