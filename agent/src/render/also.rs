//! The line `Also`: what nobody must act on, counted.

use netdiag_crds::{
    harm::Harm,
    report::{Finding, Subject},
};

use super::{findings::owner, listed};
use crate::wording::{counted, within};

/// The causes of one kind that are named.
const CAUSES_SHOWN: usize = 3;
/// The places of one cause that are named.
const PLACES_SHOWN: usize = 2;

/// The kind of a folded finding, in the order in which they are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slight,
    Unserved,
    Open,
    Costly,
    Harmless,
    Refused,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Slight,
        Self::Unserved,
        Self::Open,
        Self::Costly,
        Self::Harmless,
        Self::Refused,
    ];

    fn of(finding: &Finding) -> Self {
        match finding.harm() {
            _ if finding.decision => Self::Refused,
            Harm::None => Self::Harmless,
            Harm::Cost => Self::Costly,
            Harm::Unknown => Self::Open,
            _ if finding.towards_nobody => Self::Unserved,
            Harm::Delay | Harm::Loss | Harm::Outage => Self::Slight,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Slight => "too few to act on",
            Self::Unserved => "no fault of this node",
            Self::Open => "wanted or not is not known",
            Self::Costly => "more work than needed",
            Self::Harmless => "harmless",
            Self::Refused => "refused as meant",
        }
    }
}

/// Findings of one kind and mechanism.
struct Group<'a> {
    first: &'a Finding,
    findings: usize,
    places: Vec<String>,
    /// Packets, where each finding knows how many.
    packets: Option<i64>,
    /// Events: frames, lines of a log.
    times: i64,
}

/// The whole line, without its label; empty when nothing is folded.
pub(super) fn also(folded: &[&Finding]) -> String {
    let sentences: Vec<String> = Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            let of_kind: Vec<&Finding> = folded
                .iter()
                .copied()
                .filter(|finding| Kind::of(finding) == kind)
                .collect();
            (!of_kind.is_empty()).then(|| format!("{}: {}", kind.words(), causes(&of_kind)))
        })
        .collect();
    let mut line = String::new();
    for text in sentences {
        if line.is_empty() {
            line.push_str(&text);
        } else {
            let (first, rest) = text.split_at(1);
            line.push_str(&format!(" {}{rest}", first.to_ascii_uppercase()));
        }
        line.push('.');
    }
    line
}

fn causes(findings: &[&Finding]) -> String {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in findings.iter().copied() {
        match groups
            .iter_mut()
            .find(|group| is_alike(group.first, finding))
        {
            Some(group) => group.add(finding),
            None => groups.push(Group::of(finding)),
        }
    }
    let shown = groups.iter().take(CAUSES_SHOWN).map(Group::words);
    let mut texts: Vec<String> = shown.collect();
    let more = groups.len().saturating_sub(CAUSES_SHOWN);
    if more > 0 {
        texts.push(format!("{more} more (-o wide)"));
    }
    texts.join("; ")
}

/// The same cause and protocol. The kernel's own names differ by IP version and by function, so that where the cause is
/// one of these, the mechanism tells.
fn is_alike(one: &Finding, other: &Finding) -> bool {
    let is_same_cause = (&one.check, &one.cause) == (&other.check, &other.cause);
    let is_same_mechanism = one.check == other.check
        && one.explanation.is_some()
        && one.explanation == other.explanation
        && listed::cause(one).is_none()
        && listed::cause(other).is_none();
    (is_same_cause || is_same_mechanism) && one.subject.protocol == other.subject.protocol
}

impl<'a> Group<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            first: finding,
            findings: 1,
            places: place(&finding.subject).into_iter().collect(),
            packets: finding.packets,
            times: finding.count,
        }
    }

    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        self.places.extend(place(&finding.subject));
        let packets = self.packets.zip(finding.packets);
        self.packets = packets.map(|(all, more)| all.saturating_add(more));
        self.times = self.times.saturating_add(finding.count);
    }

    /// `LLDP dropped, 3 times (bond0)`, `80 packets refused by a rule`, `interface promiscuous for a bridge (eth0, eth1
    /// and 3 more)`.
    fn words(&self) -> String {
        let what = what(self.first);
        if listed::cause(self.first).is_none() {
            return match self.findings {
                1 => what,
                findings => format!("{what}; {} more like it", findings - 1),
            };
        }
        let mut places = self.places.clone();
        places.dedup();
        let rest = places.len().saturating_sub(PLACES_SHOWN);
        places.truncate(PLACES_SHOWN);
        let mut where_ = places.join(", ");
        if rest > 0 {
            where_.push_str(&format!(" and {rest} more"));
        }
        let what = self.counted(&what);
        match where_.is_empty() {
            true => what,
            false => format!("{what} ({where_})"),
        }
    }

    /// The cause with its number, where it has one.
    fn counted(&self, what: &str) -> String {
        let of_packets = what.strip_prefix("packets ");
        match (self.packets, self.times, of_packets) {
            (Some(0) | None, 0, _) => what.to_owned(),
            (packets, times, Some(rest)) => {
                format!("{} {rest}", packets_of(packets.unwrap_or(times)))
            }
            (Some(packets), ..) => format!("{what}, {}", packets_of(packets)),
            (None, 1, _) => format!("{what}, once"),
            (None, times, _) => format!("{what}, {times} times"),
        }
    }
}

/// `1 packet`, `80 packets`.
fn packets_of(packets: i64) -> String {
    counted(
        usize::try_from(packets).unwrap_or_default(),
        "packet",
        "packets",
    )
}

/// The cause in the words of the list; the headline where it is not in the list.
fn what(finding: &Finding) -> String {
    let Some(cause) = listed::cause(finding) else {
        return within(finding.summary.trim_end_matches('.'));
    };
    let protocol = finding.subject.protocol.as_deref();
    cause
        .headline
        .replace("{protocol}", protocol.unwrap_or("frames"))
}

fn place(subject: &Subject) -> Option<String> {
    match (&subject.interface, owner(subject)) {
        (Some(interface), Some(place)) => Some(format!("{interface} of {place}")),
        (Some(interface), None) => Some(interface.clone()),
        (None, place) => place,
    }
}
