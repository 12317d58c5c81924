//! What a person reads about frames without a receiver.

use super::Group;
use crate::{
    detectors::{kit::say, promiscuity::chain},
    evidence::{EvidenceWindow, Link, LinkKind},
    finding::{Finding, Proof, Text},
};

/// What neighbours' names may take of a summary line; the details have them in full.
const LONGEST_SENDERS: usize = 20;

/// How often, in words: `3 frames in 35 s`.
fn rate(count: u64, duration_ms: u64) -> String {
    let seconds = (duration_ms / 1000).max(1);
    let frames = if count == 1 { "frame" } else { "frames" };
    if count / seconds >= 2 {
        format!(
            "{count} {frames} in {seconds} s, about {} a second",
            count / seconds
        )
    } else {
        format!("{count} {frames} in {seconds} s")
    }
}

/// Everything that the words of a finding are made of.
pub(super) struct Words<'a> {
    pub(super) window: &'a EvidenceWindow,
    pub(super) group: &'a Group<'a>,
    device: String,
    rate: String,
    pub(super) is_for_us: bool,
}

impl<'a> Words<'a> {
    pub(super) fn of(window: &'a EvidenceWindow, group: &'a Group<'a>, is_for_us: bool) -> Self {
        let device = group.link.map_or_else(
            || format!("a vanished device (index {})", group.ifindex),
            |link| link.name.clone(),
        );
        Self {
            window,
            group,
            device,
            rate: rate(group.count(), window.duration_ms),
            is_for_us,
        }
    }

    pub(super) fn text(&self) -> Text {
        Text {
            headline: self.headline(),
            what: self.explanation(),
            hurts: self.impact(),
        }
    }

    pub(super) fn describe(&self, finding: &mut Finding) {
        finding.details = self.details();
        finding.evidence = self.proofs();
        finding.remedies = self.remedies();
    }

    /// The protocol's name.
    pub(super) fn protocol(&self) -> String {
        self.group.frames.name()
    }

    fn headline(&self) -> String {
        let (protocol, device) = (self.protocol(), &self.device);
        if let Some(bond) = self.group.inactive_slave_of {
            return format!(
                "frames are dropped on {device}, harmless: it is the inactive slave of {}",
                bond.name
            );
        }
        if self.is_for_us {
            return format!(
                "{protocol} sent to {device} itself is dropped: nothing listens for it"
            );
        }
        format!(
            "{protocol}{} is dropped on {device}, harmless: nothing listens for it",
            self.senders()
        )
    }

    /// ` from leaf-3a and leaf-3b`, or nothing.
    fn senders(&self) -> String {
        let senders = &self.group.frames.senders;
        let names: Vec<&str> = senders.iter().map(|sender| sender.name.as_str()).collect();
        match names.as_slice() {
            [] => String::new(),
            [one, two] if one.len() + two.len() <= LONGEST_SENDERS => {
                format!(" from {one} and {two}")
            }
            [one, rest @ ..] => {
                let mut text = format!(" from {}", shortened(one));
                if !rest.is_empty() {
                    text.push_str(&format!(" and {} more", rest.len()));
                }
                text
            }
        }
    }

    fn explanation(&self) -> String {
        if let Some(bond) = self.group.inactive_slave_of {
            return format!(
                "{} receives through its active slave only. Copies that reach the waiting one are dropped and counted \
                 in its rx_nohandler, which {}'s own counter includes.",
                bond.name, bond.name
            );
        }
        let senders: Vec<&str> = self
            .group
            .frames
            .senders
            .iter()
            .map(|sender| sender.name.as_str())
            .collect();
        let from = match senders.as_slice() {
            [] => String::new(),
            names => format!(" from {}", say::list(names)),
        };
        let mut text = format!(
            "{}{from} is dropped on {}: no program there listens for it.",
            self.protocol(),
            self.device
        );
        if !self.group.is_counted() {
            text.push_str(
                " The kernel's 802.2 code frees them; no counter of the device shows it.",
            );
        }
        if self.handlers().is_some_and(|count| count > 0) {
            text.push_str(" A receiver is registered now; it may have started within the window.");
        }
        if self.group.link.is_some_and(is_bridged) {
            text.push_str(" A listener on the bridge above does not help: link-local groups are not handed on to it.");
        }
        text
    }

    fn impact(&self) -> String {
        let meanings: Vec<&str> = self
            .group
            .frames
            .protocols
            .iter()
            .map(|protocol| protocol.meaning)
            .collect();
        let meaning = say::list(&meanings);
        if self.group.inactive_slave_of.is_some() {
            return format!(
                "None: {}. The active slave receives the same traffic.",
                self.rate
            );
        }
        if self.is_for_us {
            let (for_us, seen) = (self.group.frames.for_us, self.group.frames.seen);
            return format!(
                "Somebody sends {meaning} to this device's own address ({for_us} of {seen} sampled frames) and gets no \
                 answer: {}.",
                self.rate
            );
        }
        format!(
            "None. They are {meaning}, nobody's traffic here: {}.",
            self.rate
        )
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let mut details: Vec<(&'static str, String)> = Vec::new();
        for sender in &self.group.frames.senders {
            let on = sender
                .interface
                .map(|name| format!("  on {name}"))
                .unwrap_or_default();
            details.push(("Sender", format!("{}  {}{on}", sender.name, sender.about)));
        }
        for vlan in &self.group.frames.vlans {
            details.push((
                "Tag",
                match vlan {
                    0 => "VLAN 0, a priority without a VLAN".to_owned(),
                    vlan => format!("VLAN {vlan}"),
                },
            ));
        }
        if self.group.frames.of_foreign_vlan {
            let device = &self.device;
            details.push(("Tag", format!("a VLAN that has no device on {device}")));
        }
        details
    }

    fn proofs(&self) -> Vec<Proof> {
        let backend = "kfree_skb";
        let mut proofs: Vec<Proof> = self
            .group
            .keys
            .iter()
            .map(|(_, key)| {
                let reason = key.reason.named().unwrap_or("dropped");
                let location = key.location.named().unwrap_or("an unknown function");
                let what = format!(
                    "{reason} at {location}, dev {}, {:#06X}",
                    self.device, key.ethertype
                );
                Proof::new(what.replace("0X", "0x"), key.count, "frames", backend)
            })
            .collect();
        if let Some(link) = self.group.link.filter(|_| self.group.is_counted()) {
            proofs.push(counter_proof(
                self.window,
                link,
                self.group.inactive_slave_of.is_some(),
            ));
        }
        if let Some(count) = self.handlers() {
            let types: Vec<String> = self
                .group
                .keys
                .iter()
                .map(|(_, key)| format!("0x{:04X}", key.ethertype))
                .collect();
            let types: Vec<&str> = types.iter().map(String::as_str).collect();
            let devices = self.listening_devices();
            proofs.push(Proof::new(
                format!(
                    "handlers for {} or every protocol on {}",
                    say::list(&types),
                    say::list_with(&devices, ", ")
                ),
                count,
                "",
                "/proc/net/ptype",
            ));
        }
        proofs
    }

    /// The devices at which a listener would have taken the frames.
    fn listening_devices(&self) -> Vec<&str> {
        self.group.link.map_or_else(Vec::new, |link| {
            chain::stack_below(self.window, link)
                .into_iter()
                .filter(|device| device.netns == link.netns)
                .map(|device| device.name.as_str())
                .collect()
        })
    }

    /// Registered receivers that would have taken the frames; `None` when they could not be read.
    fn handlers(&self) -> Option<usize> {
        let handlers = self
            .window
            .namespace(self.group.netns)?
            .protocol_handlers
            .as_ref()?;
        let devices = self.listening_devices();
        let takes = handlers.iter().filter(|handler| {
            let of_protocol = handler.ethertype.is_none_or(|number| {
                // The 802.2 code is registered for all of its protocols and found no receiver behind it.
                let mut keys = self.group.keys.iter();
                keys.any(|(_, key)| key.ethertype == number && !super::is_behind_llc(key))
            });
            let on_device = handler
                .device
                .as_deref()
                .is_none_or(|name| devices.contains(&name));
            of_protocol && on_device
        });
        Some(takes.count())
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST_SENDERS {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(LONGEST_SENDERS - 1).collect();
    short.push('…');
    short
}

fn is_bridged(link: &Link) -> bool {
    link.slave_kind == Some(LinkKind::Bridge)
}

/// The counter that rose, and of a bond the part that its slaves counted.
fn counter_proof(window: &EvidenceWindow, link: &Link, is_inactive: bool) -> Proof {
    let counter = if is_inactive {
        "rx_nohandler"
    } else {
        "rx_dropped"
    };
    let increase = |link: &Link| {
        link.increase(|stats| {
            if is_inactive {
                stats.rx_nohandler
            } else {
                stats.rx_dropped
            }
        })
    };
    let own = increase(link);
    let name = format!("{} {counter}", link.name);
    let is_bond = matches!(link.kind, Some(LinkKind::Bond | LinkKind::Team));
    let slaves: Vec<&Link> = window.slaves(link).filter(|_| is_bond).collect();
    if slaves.is_empty() {
        return Proof::new(name, format!("+{own}"), "frames", "netlink");
    }
    let inherited = slaves
        .iter()
        .fold(0_u64, |sum, slave| sum.saturating_add(increase(slave)));
    let names: Vec<&str> = slaves.iter().map(|slave| slave.name.as_str()).collect();
    Proof::new(
        format!("{name} +{own}, of it inherited from {}", say::list(&names)),
        inherited,
        "frames",
        "netlink",
    )
}
