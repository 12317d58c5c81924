//! The line `Also`: what nobody must act on, counted.

use netdiag_crds::{
    harm::Harm,
    report::{Finding, Subject},
};

use super::{findings::owner, listed};

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

/// Findings of one kind and cause.
struct Group<'a> {
    first: &'a Finding,
    places: Vec<String>,
    packets: i64,
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
        let same = |group: &&mut Group<'_>| {
            (&group.first.check, &group.first.cause) == (&finding.check, &finding.cause)
                && group.first.subject.protocol == finding.subject.protocol
        };
        let place = place(&finding.subject);
        let packets = finding.packets.unwrap_or(finding.count);
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.packets = group.packets.saturating_add(packets);
                group.places.extend(place);
            }
            None => groups.push(Group {
                first: finding,
                places: place.into_iter().collect(),
                packets,
            }),
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

impl Group<'_> {
    /// `LLDP dropped: 3 on bond0`, `interface promiscuous for a bridge: eth0, eth1 and 3 more`.
    fn words(&self) -> String {
        let what = what(self.first);
        if listed::cause(self.first).is_none() {
            return match self.places.len() {
                ..=1 => what,
                places => format!("{what}; {} more like it", places - 1),
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
        match (self.packets, where_.is_empty()) {
            (0, true) => what,
            (0, false) => format!("{what} ({where_})"),
            (packets, true) => format!("{packets} {what}"),
            (packets, false) => format!("{packets} {what} ({where_})"),
        }
    }
}

/// The cause in the words of the list; the headline where it is not in the list.
fn what(finding: &Finding) -> String {
    let Some(cause) = listed::cause(finding) else {
        return finding.summary.trim_end_matches('.').to_owned();
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
