//! Sentences about what the nodes suffer: worded from harm, never from a severity or a counter. Decides nothing.

use netdiag_crds::harm::Harm;

use super::{
    asked::Asked,
    loose::Packets,
    outcome::Outcome,
    phrase::{nodes, suffered},
    standing::{Share, Standing, Standings},
};

/// The message of `FindingsPresent`: who suffers what, then the other nodes, who could not look, what was decided.
pub fn message(outcome: Outcome<'_>, standings: &Standings<'_>, asked: &Asked<'_>) -> String {
    let mut clauses = vec![first(outcome, standings, asked)];
    clauses.extend(others(outcome, standings));
    if standings.blind > 0 && outcome != Outcome::Unseen {
        clauses.push(blind(standings) + &first_blind(standings));
    }
    clauses.extend(decisions(standings));
    clauses.join("; ")
}

fn first(outcome: Outcome<'_>, standings: &Standings<'_>, asked: &Asked<'_>) -> String {
    match outcome {
        Outcome::Affected => affected(standings),
        Outcome::Minor(harm, share) => minor(harm, share),
        Outcome::Unseen => {
            "no verdict: no node could be checked in full".to_owned() + &first_blind(standings)
        }
        Outcome::Untold(share) => untold(share),
        Outcome::LostUnasked(packets) => lost_unasked(packets),
        Outcome::Unexplained(packets) => format!("no proven loss; {}", unexplained(packets)),
        Outcome::Costly(share) => format!(
            "slower than it must be on {}, no loss found",
            nodes(share.nodes)
        ),
        Outcome::NoLoss => {
            let looked = standings.reported - standings.blind;
            format!("no loss found on {}{}", nodes(looked), asked.scope())
        }
    }
}

/// The nodes of which the first clause says nothing.
fn others(outcome: Outcome<'_>, standings: &Standings<'_>) -> Option<String> {
    let rest = standings.worst_first();
    let rest = rest.filter(|(standing, _)| !outcome.is_about(*standing));
    let rest: Vec<(Standing, Share)> = rest.collect();
    let all = standings.worst_first();
    let has_said = rest.len() < all.count();
    let is_quiet =
        |(standing, _): &(Standing, Share)| matches!(standing, Standing::Clean | Standing::Unseen);
    if !has_said && rest.iter().all(is_quiet) {
        return None;
    }
    let rest = rest.into_iter();
    let rest: Vec<String> = rest
        .filter_map(|(standing, share)| other(standing, share))
        .collect();
    let of = if has_said { "of the others " } else { "" };
    (!rest.is_empty()).then(|| format!("{of}{}", rest.join(", ")))
}

/// `connections fail on 2 nodes, packets lost on 10`: each affected node once, by the worst that it suffers.
fn affected(standings: &Standings<'_>) -> String {
    let mut clauses = Vec::new();
    for (standing, share) in standings.worst_first() {
        let Standing::Affected(suffering) = standing else {
            continue;
        };
        let on = if clauses.is_empty() {
            nodes(share.nodes)
        } else {
            share.nodes.to_string()
        };
        clauses.push(format!("{} on {on}", suffered(suffering)));
    }
    clauses.join(", ")
}

/// Loss, delay or an outage that asks for no act.
fn minor(harm: Harm, share: Share) -> String {
    let on = nodes(share.nodes);
    match harm {
        Harm::Outage => {
            format!("packets to absent destinations do not get through on {on}, no fault found")
        }
        Harm::Delay => format!("{} late on {on}, too few to act on", packets(share)),
        _ => format!("{} lost on {on}, too few to act on", packets(share)),
    }
}

/// That no loss is proven; `412 drops cannot be told apart` are wanted or unwanted.
pub fn untold(share: Share) -> String {
    let on = nodes(share.nodes);
    let what = match share.packets {
        0 => format!("findings on {on} cannot be judged"),
        1 => format!("1 drop cannot be told apart on {on}"),
        many => format!("{many} drops cannot be told apart on {on}"),
    };
    format!("no proven loss; {what}")
}

/// `7 tx_dropped lost, outside of what was asked for`.
pub fn lost_unasked(packets: Packets<'_>) -> String {
    let Packets { counter, count } = packets;
    format!("{count} {counter} lost, outside of what was asked for")
}

/// `37 rx_dropped unexplained`.
pub fn unexplained(packets: Packets<'_>) -> String {
    format!("{} {} unexplained", packets.count, packets.counter)
}

/// So many nodes beside those of the first clause.
fn other(standing: Standing, share: Share) -> Option<String> {
    let count = share.nodes;
    let is_one = count == 1;
    let pick = |one, many| if is_one { one } else { many };
    let words = match standing {
        // Said first.
        Standing::Affected(_) => return None,
        // A clause of its own.
        Standing::Unseen => return None,
        Standing::Minor(Harm::Outage) => pick("tries", "try").to_owned() + " absent destinations",
        Standing::Minor(Harm::Delay) => {
            pick("has", "have").to_owned() + " too few late packets to act on"
        }
        Standing::Minor(_) => "lost too few packets to act on".to_owned(),
        Standing::Unknown if share.packets > 0 => {
            pick("has", "have").to_owned() + " drops that cannot be told apart"
        }
        Standing::Unknown => pick("has", "have").to_owned() + " findings that cannot be judged",
        Standing::Costly => pick("works harder than it must", "work harder than they must").into(),
        Standing::Harmless => pick("has", "have").to_owned() + " harmless findings",
        Standing::Clean => "none".to_owned(),
    };
    Some(format!("{count} {words}"))
}

/// `3 nodes could not look`.
pub fn blind(standings: &Standings<'_>) -> String {
    format!("{} could not look in full", nodes(standings.blind))
}

/// ` (node-204: the kernel has no BTF)`: one of the nodes that could not look, and why.
pub fn first_blind(standings: &Standings<'_>) -> String {
    let first = standings.first_blind;
    first.map_or_else(String::new, |(name, why)| format!(" ({name}: {why})"))
}

/// The clause about rules, policies, closed ports and shapers, which drop as they are meant to. Never the first, and
/// never left out.
pub fn decisions(standings: &Standings<'_>) -> Option<String> {
    let share = standings.decisions;
    let on = nodes(share.nodes);
    (share.nodes > 0).then(|| format!("{} refused as meant on {on}", packets(share)))
}

/// `12 packets`; without a number where not all are counted.
fn packets(share: Share) -> String {
    match share.packets {
        _ if share.is_more => "packets".to_owned(),
        1 => "1 packet".to_owned(),
        many => format!("{many} packets"),
    }
}
