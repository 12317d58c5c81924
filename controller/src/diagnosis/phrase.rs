//! Findings in a few words, for a column.

use std::borrow::Cow;

use netdiag_crds::{
    checks,
    harm::{Harm, Suffering},
    severity::Severity,
};

/// Stands for the words for an outage.
const OUTAGE: &str = "{outage}";

/// Alike findings, as far as their words depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'a> {
    /// The check.
    pub check: &'a str,
    /// The cause.
    pub cause: &'a str,
    /// The words of their agents for a cause that the list does not have, where all agree.
    pub symptom: Option<&'a str>,
    /// The protocol, where they are about one.
    pub protocol: Option<&'a str>,
    /// The worst that they do.
    pub suffering: Suffering,
    /// The nodes on which they do it.
    pub harmed: usize,
    /// Somebody decided it so.
    pub decision: bool,
    /// Their severity.
    pub severity: Severity,
}

/// The event on so many nodes: `VM queue full on 12 nodes`, `LLDP dropped on 297 nodes, harmless`.
pub fn headline(kind: &Kind<'_>, on: usize) -> String {
    let known = checks::cause(kind.check, kind.cause);
    let is_everywhere = kind.harmed >= on;
    let own = known.and_then(|known| known.words_for(kind.suffering.harm));
    // What was meant so is neither loss nor a failure.
    let own = own.filter(|_| is_everywhere && !kind.decision);
    let words = match own.or(known.map(|known| known.headline)) {
        Some(words) => Cow::Borrowed(words),
        None => unlisted(kind),
    };
    // Words of the list and of agents say which packets end; of a mere name, the harm must be said.
    let says_end = known.is_some() || kind.symptom.is_some();
    let says_harm = own.is_some() || is_everywhere && says_end && kind.suffering.harm == Harm::Loss;
    let (what, why) = words.split_once(", ").unwrap_or((&words, ""));
    let comma = if why.is_empty() { "" } else { ", " };
    let verdict = verdict(kind, says_harm, is_everywhere);
    let what = with_protocol(&what.replace(OUTAGE, outage(kind.suffering)), kind.protocol);
    format!("{what} on {}{comma}{why}{verdict}", nodes(on))
}

/// The words for a cause that the list does not have: those of its agents, else the kernel's reason in its spelling, or
/// the name of a newer agent's cause.
fn unlisted<'a>(kind: &Kind<'a>) -> Cow<'a, str> {
    match kind.symptom {
        Some(symptom) => Cow::Borrowed(symptom),
        None if is_kernels_own(kind.check, kind.cause) => {
            Cow::Owned(format!("packets dropped ({})", kind.cause))
        }
        None => Cow::Borrowed(kind.cause),
    }
}

/// The cause is a reason or a function by the kernel's own name, which tells a person little.
fn is_kernels_own(check: &str, cause: &str) -> bool {
    check == checks::OTHER_DROP && checks::cause(check, cause).is_none()
}

/// The name of a finding in a column or an Event: `TapQueueDrop/ReceiveQueueFull`, or the check only where the cause is
/// the kernel's own name.
pub fn title(check: &str, cause: &str) -> String {
    match is_kernels_own(check, cause) {
        true => check.to_owned(),
        false => format!("{check}/{cause}"),
    }
}

/// The judgement that follows the words of a finding: `, harmless`. Where only some of the nodes suffer the worst,
/// their number is said.
fn verdict(kind: &Kind<'_>, says_harm: bool, is_everywhere: bool) -> String {
    if kind.decision {
        return ", refused as meant".to_owned();
    }
    let on = if is_everywhere {
        String::new()
    } else {
        format!(" on {}", kind.harmed)
    };
    if kind.severity > Severity::Info {
        return if says_harm {
            String::new()
        } else {
            format!(", {}{on}", suffered(kind.suffering))
        };
    }
    match kind.suffering.harm {
        Harm::None => ", harmless".to_owned(),
        Harm::Cost => format!(", no loss by it{on}"),
        Harm::Unknown => format!(", harm not known{on}"),
        Harm::Delay | Harm::Loss if is_everywhere => ", too few to act on".to_owned(),
        Harm::Delay => format!(", late{on}, too few to act on"),
        Harm::Loss => format!(", lost{on}, too few to act on"),
        Harm::Outage => format!(", no fault found{on}"),
    }
}

fn with_protocol(text: &str, protocol: Option<&str>) -> String {
    const PROTOCOL: &str = "{protocol}";
    if text.contains(PROTOCOL) {
        return text.replace(
            PROTOCOL,
            protocol.unwrap_or("frames of an unknown protocol"),
        );
    }
    match protocol {
        Some(protocol) => format!("{text} ({protocol})"),
        None => text.to_owned(),
    }
}

/// `1 node`, `12 nodes`.
pub fn nodes(count: usize) -> String {
    format!("{count} {}", if count == 1 { "node" } else { "nodes" })
}

/// A list of names that a line can hold: `a, b, c and 7 more`.
pub fn names(names: &[&str]) -> String {
    names_of(names, names.len())
}

/// The same, when only the first of so many are known.
pub fn names_of(names: &[&str], number: usize) -> String {
    /// A person reads a few; `nodes` has the number.
    const SHOWN: usize = 5;
    let shown = names
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match number.saturating_sub(names.len().min(SHOWN)) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The text cut to so many characters, which is how the API server counts.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// The suffering of an affected node.
pub fn suffered(suffering: Suffering) -> &'static str {
    match suffering.harm {
        Harm::Outage => outage(suffering),
        Harm::Loss => "packets lost",
        Harm::Delay => "packets late",
        Harm::Cost => "slower than it must be",
        // A newer agent's harm, or one that contradicts its own severity.
        Harm::Unknown => "harm not known",
        Harm::None => "something to act on",
    }
}

/// The words for an outage: dead connections are called so only where they are proved.
pub fn outage(suffering: Suffering) -> &'static str {
    match suffering.connections_died {
        true => "connections fail",
        false => "packets do not get through",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(
        check: &'static str,
        cause: &'static str,
        harm: Harm,
        severity: Severity,
    ) -> Kind<'static> {
        Kind {
            check,
            cause,
            symptom: None,
            protocol: None,
            suffering: harm.into(),
            harmed: 2,
            decision: false,
            severity,
        }
    }

    #[track_caller]
    fn check(kind: Kind<'_>, said: &str) {
        assert_eq!(headline(&kind, 2), said);
    }

    #[test]
    fn known_causes_read_as_words_and_unknown_ones_as_themselves() {
        use Severity::{Critical, Info, Warning};
        let lldp = kind("UnhandledProtocol", "NoReceiver", Harm::None, Info);
        let of = |kind: Kind<'static>, protocol| Kind {
            protocol: Some(protocol),
            ..kind
        };
        check(of(lldp, "LLDP"), "LLDP dropped on 2 nodes, harmless");
        let own = kind("UnhandledProtocol", "NoReceiver", Harm::Loss, Warning);
        check(
            of(own, "0x88b5"),
            "0x88b5 addressed to the node dropped on 2 nodes",
        );
        let corrupt = kind("ChecksumDrop", "Corruption", Harm::Loss, Warning);
        check(
            of(corrupt, "UDP"),
            "corrupt packets dropped (UDP) on 2 nodes",
        );
        let queue = kind("TapQueueDrop", "ReceiveQueueFull", Harm::Loss, Critical);
        check(queue, "VM queue full on 2 nodes");
        let newer = kind("NewCheck", "NewCause", Harm::Loss, Warning);
        check(newer, "NewCause on 2 nodes, packets lost");
        let kernel = kind("OtherDrop", "PROTO_MEM", Harm::Outage, Critical);
        check(
            kernel,
            "packets dropped (PROTO_MEM) on 2 nodes, packets do not get through",
        );
        let told = |symptom| Kind {
            symptom: Some(symptom),
            ..kernel
        };
        check(
            told("packets were dropped because the memory for sockets was used up"),
            "packets were dropped because the memory for sockets was used up on 2 nodes, packets do not get through",
        );
        check(
            told("packets were dropped, perhaps by the queueing discipline"),
            "packets were dropped on 2 nodes, perhaps by the queueing discipline, packets do not get through",
        );
        let died = |kind| Kind {
            suffering: Suffering {
                harm: Harm::Outage,
                connections_died: true,
            },
            ..kind
        };
        check(
            died(kernel),
            "packets dropped (PROTO_MEM) on 2 nodes, connections fail",
        );
        check(
            died(corrupt),
            "connections fail on 2 nodes, packets arrive corrupt",
        );
    }

    #[test]
    fn a_mild_finding_says_what_it_does_and_that_nothing_need_be_done() {
        let mild = |harm| kind("LinkMtu", "PeerMtuSmaller", harm, Severity::Info);
        for (harm, said) in [
            (
                Harm::None,
                "packets above the peer's MTU dropped on 2 nodes, harmless",
            ),
            (
                Harm::Unknown,
                "packets above the peer's MTU dropped on 2 nodes, harm not known",
            ),
            (
                Harm::Loss,
                "packets above the peer's MTU dropped on 2 nodes, too few to act on",
            ),
            (
                Harm::Outage,
                "packets do not get through on 2 nodes, packets exceed the peer's MTU, no fault found",
            ),
        ] {
            check(mild(harm), said);
        }
        let slow = kind(
            "SegmentOffload",
            "SegmentRoutingGro",
            Harm::Cost,
            Severity::Info,
        );
        check(
            slow,
            "SRv6 packets not merged on receipt (GRO) on 2 nodes, no loss by it",
        );
        let rule = Kind {
            decision: true,
            ..kind("OtherDrop", "NETFILTER_DROP", Harm::Loss, Severity::Info)
        };
        check(
            rule,
            "packets dropped (NETFILTER_DROP) on 2 nodes, refused as meant",
        );
        let listed = Kind {
            decision: true,
            ..mild(Harm::Outage)
        };
        check(
            listed,
            "packets above the peer's MTU dropped on 2 nodes, refused as meant",
        );
    }

    #[test]
    fn a_finding_to_act_on_says_its_harm() {
        let act = |harm| kind("ReceiveOverrun", "RingFull", harm, Severity::Warning);
        check(
            act(Harm::Outage),
            "NIC receive ring full on 2 nodes, packets do not get through",
        );
        check(
            act(Harm::Delay),
            "NIC receive ring full on 2 nodes, packets late",
        );
        let late = kind(
            "TapQueueDrop",
            "ReceiveQueueFull",
            Harm::Delay,
            Severity::Warning,
        );
        check(late, "packets to a VM late on 2 nodes, its queue is full");
        // A newer agent's harm.
        check(
            act(Harm::Unknown),
            "NIC receive ring full on 2 nodes, harm not known",
        );
    }

    #[test]
    fn names_and_numbers_are_grammatical() {
        assert_eq!(nodes(1), "1 node");
        assert_eq!(nodes(0), "0 nodes");
        assert_eq!(names(&["a", "b"]), "a, b");
        assert_eq!(
            names(&["a", "b", "c", "d", "e", "f", "g"]),
            "a, b, c, d, e and 2 more"
        );
        assert_eq!(names_of(&["a", "b"], 9), "a, b and 7 more");
    }

    #[test]
    fn a_cut_counts_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
