//! Devices that are promiscuous, and who wants them so.
//!
//! Promiscuity is counted by the kernel and inherited by the devices below, so a cause is reported once, at the device
//! where it lies: the topmost of a chain `eth0, eth1 <- bond0 <- br0`.

mod all_multicast;
pub(super) mod chain;
mod doubts;
mod judge;
mod opened_by;
mod ports;
#[cfg(test)]
mod tests;
mod text;
mod users;

pub(super) use self::opened_by::Openers;

use self::{
    all_multicast::AllMulticast,
    judge::Promiscuous,
    ports::{Group, Port, Ports},
    text::{multicast as multicast_text, ports as port_text},
    users::Users,
};
use super::{
    Detector,
    kit::{Evidence, Need, say},
};
use crate::{
    Window,
    causes::{ALL_MULTICAST, Check, PROMISCUITY},
    evidence::Link,
    finding::{Assessment, Finding, Outcome, Subject, Unchecked},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Links, "links"),
    Need::part(Evidence::PacketSockets, "packet sockets"),
];

/// The `Promiscuity` check.
pub(super) struct Promiscuity;

impl Detector for Promiscuity {
    fn check(&self) -> &'static Check {
        &PROMISCUITY
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, _so_far: &Outcome) -> Outcome {
        let changed = doubts::changed_by_the_log(window);
        let mut ports = Ports::default();
        let mut findings = Vec::new();
        for link in window.links() {
            if link.promiscuity > 0 {
                let users = Users::of(window, link, &changed);
                let causes = judge::causes(window, link, &users);
                findings.extend(causes.map(|found| device_finding(window, &found)));
                ports.add(window, link, users);
            } else if let Some(found) = all_multicast::of_device(window, link) {
                findings.push(multicast_finding(window, &found));
            }
        }
        for group in ports.into_groups() {
            let first = group.ports().first();
            findings.extend(first.map(|first| port_finding(window, &group, first)));
        }
        for finding in &mut findings {
            finding.last_ms = window.duration_ms;
        }
        Outcome {
            findings,
            unchecked: unread_filters(window).into_iter().collect(),
            ..Outcome::default()
        }
    }
}

fn device_finding(window: &Window<'_>, found: &Promiscuous<'_>) -> Finding {
    let mut subject = Subject::of_link(found.link, window.namespace(found.link.netns));
    if let Some(owner) = found.only_process() {
        subject.process = Some(say::process(owner));
        subject.container.clone_from(&owner.container);
    }
    let text = text::text(window, found);
    let mut finding = Finding::new(found.cause(), Assessment::none(), subject, text);
    finding.confidence = found.confidence();
    finding.evidence = text::proofs(found);
    finding.details = text::details(window, found);
    finding.consequence = text::consequence(found);
    finding.remedies = text::remedies(window, found);
    finding
}

/// A finding about a port, or about the switch of several.
fn port_finding(window: &Window<'_>, group: &Group<'_>, first: &Port<'_>) -> Finding {
    let about = match group {
        Group::Single(port) => port.link,
        Group::Several(_) => first.switch,
    };
    let subject = Subject::of_link(about, window.namespace(about.netns));
    let text = port_text::text(window, group, first);
    let mut finding = Finding::new(first.cause, Assessment::none(), subject, text);
    finding.confidence = group.confidence();
    finding.evidence = port_text::proofs(group, first);
    finding.consequence = port_text::consequence(window, group, first);
    finding.remedies = vec![port_text::remedy(first)];
    finding
}

fn multicast_finding(window: &Window<'_>, found: &AllMulticast<'_>) -> Finding {
    let subject = Subject::of_link(found.link, window.namespace(found.link.netns));
    let text = multicast_text::text(window, found);
    let mut finding = Finding::new(&ALL_MULTICAST, Assessment::none(), subject, text);
    finding.evidence = vec![multicast_text::proof(found)];
    finding.consequence = multicast_text::consequence(found);
    finding
        .remedies
        .extend(multicast_text::remedy(window, found));
    finding
}

/// The unicast filters of some promiscuous devices could not be read.
fn unread_filters(window: &Window<'_>) -> Option<Unchecked> {
    let is_unread = |link: &Link| link.promiscuity > 0 && link.unicast_promiscuous.is_none();
    let has_unread = window.links().iter().any(is_unread);
    has_unread.then(|| Unchecked::in_part(&PROMISCUITY, text::UNREAD_FILTERS))
}
