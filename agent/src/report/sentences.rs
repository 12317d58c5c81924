//! The words of the verdict: the first sentence, and what stands beside it.

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::LISTEN_QUEUE,
    finding::{self, Decision, Finding, Harm},
    ledger::{Booking, LedgerEntry},
    verdict::{Aside, Beside, Blind, Decisions, Problem, Unexplained, Unmatched, Verdict},
};

use crate::wording::{counted, seconds, sentence, within};

/// The most problems that the first sentence names.
pub(super) const NAMED: usize = 2;

/// The sentences of a verdict; of several problems it names so many.
pub(super) fn sentences(
    verdict: &Verdict<'_>,
    diagnosis: &Diagnosis,
    window: &EvidenceWindow,
    named: usize,
) -> String {
    let aside = &Aside::of(diagnosis);
    match verdict {
        Verdict::Affected(problems) => affected(problems, named, Blind::of(diagnosis, window)),
        Verdict::Withheld(blind @ Blind::NoCounters { .. }) => {
            format!("no verdict: {}.", why_blind(blind))
        }
        Verdict::Withheld(blind) => join([
            format!("no verdict: {}.", why_blind(blind)),
            rose(diagnosis, window, aside),
            decided(&aside.decisions),
        ]),
        Verdict::Slight(findings) => join([
            format!("{}, too few to act on.", slight(findings)),
            unexplained(diagnosis, aside.unexplained),
            decided(&aside.decisions),
        ]),
        Verdict::Unserved(findings) => join([
            format!("no fault of this node found. {}", headlines(findings)),
            unexplained(diagnosis, aside.unexplained),
            decided(&aside.decisions),
        ]),
        Verdict::Open(findings) => join([
            open(findings, window),
            unexplained(diagnosis, aside.unexplained),
            decided(&aside.decisions),
        ]),
        Verdict::Costly(findings) => join([
            format!("no packets lost, but {}", within(&headlines(findings))),
            decided(&aside.decisions),
        ]),
        Verdict::Clear => clear(diagnosis, window, aside),
    }
}

/// The number of findings whose headlines those sentences hold, at most.
pub(super) fn named(verdict: &Verdict<'_>, named: usize) -> usize {
    match verdict {
        Verdict::Affected(_) => named,
        Verdict::Unserved(_) | Verdict::Costly(_) => 1,
        _ => 0,
    }
}

fn join<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// `connections fail: A; and 9 of 700 packets are lost: B.`
fn affected(problems: &[Problem<'_>], named: usize, blind: Option<Blind<'_>>) -> String {
    let shown = problems.get(..named.max(1)).unwrap_or(problems);
    let mut clauses: Vec<String> = Vec::new();
    for harm in Harm::ALL.into_iter().rev() {
        let of_harm: Vec<&Problem<'_>> = shown.iter().filter(|one| one.harm() == harm).collect();
        match of_harm.as_slice() {
            [] => {}
            [only] => clauses.push(clause(only)),
            several => {
                let headlines: Vec<String> =
                    several.iter().map(|one| within(&headline(one))).collect();
                let headlines = headlines.join(", and ");
                clauses.push(format!("{}: {headlines}", together(harm, several.len())));
            }
        }
    }
    let mut text = sentence(&clauses.join("; and "));
    let more = problems.len().saturating_sub(shown.len());
    if more > 0 {
        let verb = if more == 1 { "needs" } else { "need" };
        text.push_str(&format!(" {more} more {verb} attention, below."));
    }
    if let Some(blind) = blind.filter(Blind::is_of_the_whole_run) {
        text.push_str(&format!(
            " There may be more than was seen: {}.",
            why_blind(&blind)
        ));
    }
    text
}

/// One problem as a clause, its harm first.
fn clause(problem: &Problem<'_>) -> String {
    // It counts attempts: what a client sends again is one more.
    let is_about_connections = *problem.finding.check() == LISTEN_QUEUE;
    let opening = match problem.harm() {
        Harm::Outage if problem.finding.assessment.are_flows_dead => "connections fail".to_owned(),
        Harm::Outage if is_about_connections => "new connections fail".to_owned(),
        Harm::Outage => "packets do not get through".to_owned(),
        Harm::Delay if is_about_connections => "new connections come about late".to_owned(),
        Harm::Delay => format!("{} arrive late", packets_of_share(problem.finding)),
        _ => format!("{} are lost", packets_of_share(problem.finding)),
    };
    format!("{opening}: {}", within(&headline(problem)))
}

/// `12 of 700 packets`, or `packets` where a share is not known: the headline has the number.
fn packets_of_share(finding: &Finding) -> String {
    match finding.assessment.share() {
        Some(_) => numbers(&[finding]),
        None => "packets".to_owned(),
    }
}

/// Several problems of one harm as a clause.
fn together(harm: Harm, count: usize) -> String {
    let count = in_words(count);
    match harm {
        Harm::Outage => format!("{count} things fail"),
        Harm::Delay => format!("packets arrive late for {count} reasons"),
        _ => format!("packets are lost for {count} reasons"),
    }
}

fn in_words(number: usize) -> String {
    const WORDS: [&str; 10] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    WORDS
        .get(number)
        .map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

fn headline(problem: &Problem<'_>) -> String {
    let headline = problem.finding.text.headline.trim_end_matches('.');
    match problem.alike {
        0 => headline.to_owned(),
        alike => format!("{headline} ({alike} more like it)"),
    }
}

/// `2 of 90211 packets`, `at least 2 of 90211 packets`; the total only of a single finding that knows it.
fn numbers(findings: &[&Finding]) -> String {
    let packets = findings
        .iter()
        .filter_map(|finding| finding.assessment.packets)
        .fold(0, u64::saturating_add);
    let all = match findings {
        [only] => only.assessment.carried,
        _ => None,
    };
    let numbers = match all {
        Some(carried) => format!("{packets} of {} packets", packets.saturating_add(carried)),
        None => packets_of(packets),
    };
    match findings.iter().any(|finding| finding.assessment.is_least) {
        true => format!("at least {numbers}"),
        false => numbers,
    }
}

fn packets_of(packets: u64) -> String {
    match packets {
        1 => "1 packet".to_owned(),
        packets => format!("{packets} packets"),
    }
}

/// `2 of 90211 packets were lost on eth0 and 1 packet was late in pod shop/web`.
fn slight(findings: &[&Finding]) -> String {
    let is_late = |finding: &&&Finding| finding.assessment.harm == Harm::Delay;
    let (late, lost): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(is_late);
    let clause = |findings: &[&Finding], word: &str| {
        let numbers = numbers(findings);
        let is_one = numbers.trim_start_matches("at least ") == "1 packet";
        let verb = if is_one { "was" } else { "were" };
        format!("{numbers} {verb} {word} {}", place(findings))
    };
    let clauses = [(lost, "lost"), (late, "late")];
    let clauses = clauses.iter().filter(|(findings, _)| !findings.is_empty());
    let clauses: Vec<String> = clauses.map(|(all, word)| clause(all, word)).collect();
    clauses.join(" and ")
}

/// `on eth0`, `on eth0 of pod shop/web`, `in 3 places`.
fn place(findings: &[&Finding]) -> String {
    let mut places: Vec<String> = findings.iter().map(|finding| place_of(finding)).collect();
    places.sort();
    places.dedup();
    match places.as_slice() {
        [only] => only.clone(),
        several => format!("in {} places", several.len()),
    }
}

fn place_of(finding: &Finding) -> String {
    let subject = &finding.subject;
    match (&subject.interface, subject.place()) {
        (Some(interface), Some(place)) => format!("on {interface} of {place}"),
        (Some(interface), None) => format!("on {interface}"),
        (None, Some(place)) => format!("in {place}"),
        (None, None) => "on this node".to_owned(),
    }
}

/// The headline of the first, and how many more there are.
fn headlines(findings: &[&Finding]) -> String {
    let Some((first, rest)) = findings.split_first() else {
        return String::new();
    };
    let headline = first.text.headline.trim_end_matches('.');
    match rest.len() {
        0 => format!("{headline}."),
        more => format!("{headline}; and {more} more, below."),
    }
}

/// `no proven loss. 412 drops on eth0: wanted or unwanted cannot be told apart on Linux 5.10.`
fn open(findings: &[&Finding], window: &EvidenceWindow) -> String {
    let packets = findings
        .iter()
        .filter_map(|finding| finding.assessment.packets)
        .fold(0, u64::saturating_add);
    match (packets, findings) {
        (_, []) => "no proven loss.".to_owned(),
        (0, findings) => format!("no proven loss, but {}", within(&headlines(findings))),
        (packets, findings) => {
            let drops = if packets == 1 { "drop" } else { "drops" };
            let kernel = without_reasons(window)
                .map(|kernel| format!(" on Linux {kernel}"))
                .unwrap_or_default();
            format!(
                "no proven loss. {packets} {drops} {}: wanted or unwanted cannot be told apart{kernel}.",
                place(findings)
            )
        }
    }
}

/// The version of a kernel that gives no drop reasons: `5.10`.
fn without_reasons(window: &EvidenceWindow) -> Option<String> {
    window.drops.value().filter(|drops| !drops.has_reasons)?;
    let mut parts = window.node.kernel.split(['.', '-']);
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

/// The part of the ledger beyond the findings, as a sentence; empty for nothing.
fn unexplained(diagnosis: &Diagnosis, unexplained: Unexplained) -> String {
    let Unexplained { packets, counters } = unexplained;
    match (packets, counters, diagnosis.ledger.as_slice()) {
        (0, ..) => String::new(),
        (_, _, [only]) if only.increase == packets => format!(
            "{} rose by {packets}, and nothing explains it.",
            counter(only)
        ),
        (_, _, [only]) => format!(
            "{} rose by {}; {packets} of these are not explained.",
            counter(only),
            only.increase
        ),
        (_, counters, _) => format!(
            "{} of {} {} not explained.",
            packets_of(packets),
            counted(counters, "counter", "counters"),
            if packets == 1 { "is" } else { "are" }
        ),
    }
}

/// `Refused as meant: 40 packets by packet filter rules, 15 packets to closed ports.`; empty for nothing.
fn decided(decisions: &Decisions) -> String {
    let parts = decisions.iter().map(|(by, packets)| refusal(*by, *packets));
    let parts: Vec<String> = parts.collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("Refused as meant: {}.", parts.join(", ")),
    }
}

/// `40 packets by packet filter rules`.
fn refusal(by: Decision, packets: u64) -> String {
    let pick = |one, many| if packets == 1 { one } else { many };
    let by = match by {
        Decision::Rule => pick("by a packet filter rule", "by packet filter rules"),
        Decision::Program => pick("by a tc, XDP or BPF program", "by tc, XDP or BPF programs"),
        Decision::Policy => "by a policy of IPsec, a security module or a device",
        Decision::Setting => "by a setting",
        Decision::ClosedPort => pick("to a closed port", "to closed ports"),
        Decision::Several => "by rules, policies or closed ports",
    };
    format!("{} {by}", packets_of(packets))
}

/// Why there is no verdict, as a clause.
fn why_blind(blind: &Blind<'_>) -> String {
    match blind {
        Blind::NoInterface(unmatched) => no_interface(unmatched),
        Blind::Interrupted { after_ms, asked_ms } => match asked_ms {
            Some(asked) => format!(
                "it was ended after {} of {}",
                seconds(*after_ms),
                seconds(*asked)
            ),
            None => "it ended within its first second".to_owned(),
        },
        Blind::NoCounters { reason } => format!("the drop counters could not be read: {reason}"),
        Blind::NoDropProbe { .. } => "the drop probe could not be loaded".to_owned(),
        Blind::Checks { unmade, asked } => format!(
            "{unmade} of {} could not be made",
            counted(*asked, "check", "checks")
        ),
    }
}

fn no_interface(unmatched: &Unmatched) -> String {
    let quoted = |globs: &[String]| {
        let globs: Vec<String> = globs.iter().map(|glob| format!("'{glob}'")).collect();
        globs.join(" or ")
    };
    let Unmatched { include, exclude } = unmatched;
    match (include.is_empty(), exclude.is_empty()) {
        (true, _) => format!("{} excludes every interface of this node", quoted(exclude)),
        (false, true) => format!("no interface of this node matches {}", quoted(include)),
        (false, false) => format!(
            "no interface of this node matches {} and is not excluded by {}",
            quoted(include),
            quoted(exclude)
        ),
    }
}

/// The counters that rose while nothing could judge them.
fn rose(diagnosis: &Diagnosis, window: &EvidenceWindow, aside: &Aside) -> String {
    match diagnosis.ledger.as_slice() {
        // Counters of interfaces that were not asked for may have risen.
        [] if diagnosis.unmatched.is_some() => String::new(),
        [] => none_rose(window),
        _ if aside.unexplained.packets == 0 => explained(diagnosis, window),
        [only] => format!(
            "{} rose by {}, harmful or harmless is not known.",
            counter(only),
            only.increase
        ),
        several => format!(
            "{} counters rose, harmful or harmless is not known.",
            several.len()
        ),
    }
}

/// Nobody misses anything that was found.
fn clear(diagnosis: &Diagnosis, window: &EvidenceWindow, aside: &Aside) -> String {
    let decided = decided(&aside.decisions);
    if aside.not_asked > 0 {
        let verb = if aside.not_asked == 1 { "was" } else { "were" };
        let found = format!(
            "nothing found of what was asked for, but {} {verb} lost to other causes.",
            packets_of(aside.not_asked)
        );
        return join([found, decided]);
    }
    let found = if aside.is_in_part {
        "no packet loss found in what could be checked."
    } else {
        "no packet loss found."
    };
    let rose = match decided.is_empty() {
        true => explained(diagnosis, window),
        false => String::new(),
    };
    join([found.to_owned(), decided, rose])
}

/// `One counter rose, and harmless LLDP frames explain all of it.`
fn explained(diagnosis: &Diagnosis, window: &EvidenceWindow) -> String {
    let ledger = &diagnosis.ledger;
    let (rose, them) = match ledger.len() {
        0 => return none_rose(window),
        1 => ("One counter rose".to_owned(), "it"),
        many => (format!("{many} counters rose"), "them"),
    };
    let mut bookings = ledger.iter().flat_map(|entry| &entry.explained);
    let what = match harmless_protocol(ledger) {
        Some(protocol) => format!("harmless {protocol} frames"),
        None if bookings.all(is_benign) => "harmless drops".to_owned(),
        None => "the findings".to_owned(),
    };
    let others = beside(window).map_or_else(String::new, |all| format!("; {all}"));
    format!("{rose}, and {what} explain all of {them}{others}.")
}

/// No counter of the ledger rose; others that did are told.
fn none_rose(window: &EvidenceWindow) -> String {
    match beside(window) {
        Some(others) => format!("No drop counter of a device rose; {others}."),
        None => "No drop counter rose.".to_owned(),
    }
}

/// `the protocol counter TcpExt.IPReversePathFilter rose by 80`: the counters that the ledger does not balance.
fn beside(window: &EvidenceWindow) -> Option<String> {
    let Beside {
        protocols,
        packet_sockets,
    } = Beside::of(window);
    let protocols = match protocols.as_slice() {
        [] => None,
        [(name, rose)] => Some(format!("the protocol counter {name} rose by {rose}")),
        several => Some(format!("{} protocol counters rose", several.len())),
    };
    let sockets = (packet_sockets > 0)
        .then(|| format!("packet sockets missed {}", packets_of(packet_sockets)));
    let all: Vec<String> = protocols.into_iter().chain(sockets).collect();
    (!all.is_empty()).then(|| all.join(", and "))
}

/// The one protocol whose benign frames explain everything.
fn harmless_protocol(ledger: &[LedgerEntry]) -> Option<&str> {
    let mut bookings = ledger.iter().flat_map(|entry| &entry.explained);
    let first = bookings.next().filter(|booking| is_benign(booking))?;
    let protocol = first.protocol.as_deref()?;
    bookings
        .all(|booking| is_benign(booking) && booking.protocol.as_deref() == Some(protocol))
        .then_some(protocol)
}

fn is_benign(booking: &Booking) -> bool {
    booking.verdict == finding::Verdict::Benign
}

fn counter(entry: &LedgerEntry) -> String {
    let parts = [
        entry.place.as_deref(),
        entry.interface.as_deref(),
        Some(entry.counter),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    parts.join(" ")
}
