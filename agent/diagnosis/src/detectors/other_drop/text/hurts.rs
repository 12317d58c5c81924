//! The sentence that says whom drops hurt and how much, from their assessment.

use crate::{
    detectors::kit::say,
    finding::{Assessment, Harm, Subject},
};

/// Flows in one sentence; more are counted. A finding names them all beside it.
const FLOWS_SHOWN: usize = 2;

/// Whom it hurts, and how much.
pub(super) fn of(assessment: &Assessment, subject: &Subject) -> String {
    let packets = say::count(assessment.packets.unwrap_or_default(), "packet");
    let (flows, flow) = (flows(assessment), assessment.flows.first());
    if assessment.is_decision() {
        let meant = format!("Refused as meant: {packets}{}.", of_flows(&flows));
        return match assessment.harm {
            Harm::Outage => format!("{meant} Nothing of these flows gets through."),
            _ => meant,
        };
    }
    match assessment.harm {
        Harm::None => "Nobody.".to_owned(),
        Harm::Cost => "Nobody loses a packet; it costs CPU time.".to_owned(),
        Harm::Unknown => format!(
            "Wanted and unwanted cannot be told apart: {packets}{}.",
            of_flows(&flows)
        ),
        Harm::Delay => format!(
            "{} had to be repeated, 1 s later or more{}{}.",
            say::count(assessment.packets.unwrap_or_default(), "connection attempt"),
            beside(assessment, "connections were accepted"),
            of_flows(&flows)
        ),
        Harm::Loss if assessment.is_towards_nobody => format!(
            "Nobody any more: the device that they were sent into has gone away. {packets}{}.",
            of_flows(&flows)
        ),
        Harm::Loss => format!(
            "{packets} lost{}{}{}.",
            share(assessment),
            whose(subject),
            of_flows(&flows)
        ),
        Harm::Outage if assessment.is_towards_nobody => format!(
            "Only the sender: nobody on this node has the address that it tries, and nobody answers for it. {packets}{}.",
            of_flows(&flows)
        ),
        Harm::Outage if flow.is_some() => {
            format!(
                "Nothing gets through of {flows}: {packets} lost{}.",
                whose(subject)
            )
        }
        Harm::Outage => format!("Nothing gets through{}: {packets} lost.", whose(subject)),
    }
}

/// Whom it hurts where the receiver ended within the window.
pub(super) fn of_ended(assessment: &Assessment) -> String {
    let packets = say::count(assessment.packets.unwrap_or_default(), "packet");
    format!(
        "Only the senders, until they learn that nobody has the address any more. {packets}{}.",
        of_flows(&flows(assessment))
    )
}

/// `, of pod shop/cart-0`.
fn whose(subject: &Subject) -> String {
    let place = subject.place();
    place.map_or_else(String::new, |place| format!(", of {place}"))
}

/// ` of 19400 (0.8 %)`, the lost part of all; empty where nothing counts the rest.
fn share(assessment: &Assessment) -> String {
    let Some(share) = assessment.share() else {
        return " out of a number that nothing counts".to_owned();
    };
    let all = share.lost.saturating_add(share.carried);
    format!(" of {all} ({})", percent(share.lost, all))
}

fn beside(assessment: &Assessment, what: &str) -> String {
    let carried = assessment.carried;
    carried.map_or_else(String::new, |carried| format!(", while {carried} {what}"))
}

/// `0.8 %`, `< 0.1 %`.
fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1_000 / u128::from(all.max(1));
    match (tenths, part) {
        (0, 1..) => "< 0.1 %".to_owned(),
        (tenths, _) if tenths % 10 == 0 => format!("{} %", tenths / 10),
        (tenths, _) => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

fn flows(assessment: &Assessment) -> String {
    let (shown, rest) = assessment
        .flows
        .split_at(assessment.flows.len().min(FLOWS_SHOWN));
    match rest.len() {
        0 => shown.join(", "),
        // Samples show some of the flows, and a finding names a few of these.
        more => format!("{} and at least {more} more", shown.join(", ")),
    }
}

fn of_flows(flows: &str) -> String {
    match flows {
        "" => String::new(),
        flows => format!("; seen: {flows}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Culprit, Decision};

    fn hurts(assessment: &Assessment) -> String {
        of(assessment, &Subject::default())
    }

    #[test]
    fn a_share_is_said_where_something_counts_the_rest() {
        let loss = |packets, carried| hurts(&Assessment::loss(packets, carried));
        assert_eq!(
            loss(155, Some(19_245)),
            "155 packets lost of 19400 (0.7 %)."
        );
        assert_eq!(loss(1, Some(1)), "1 packet lost of 2 (50 %).");
        assert_eq!(loss(1, Some(99_999)), "1 packet lost of 100000 (< 0.1 %).");
        assert_eq!(
            loss(3, None),
            "3 packets lost out of a number that nothing counts."
        );
    }

    #[test]
    fn what_is_not_known_is_never_called_little_or_none() {
        let unknown = Assessment::of(Harm::Unknown).with_packets(7);
        assert_eq!(
            hurts(&unknown),
            "Wanted and unwanted cannot be told apart: 7 packets."
        );
        assert_eq!(
            hurts(&unknown.with_flows(vec!["a -> b TCP".to_owned()])),
            "Wanted and unwanted cannot be told apart: 7 packets; seen: a -> b TCP."
        );
    }

    #[test]
    fn a_decision_is_refused_as_meant_and_keeps_its_outage() {
        let flows = vec!["a -> b TCP".to_owned()];
        let meant =
            |harm| hurts(&Assessment::decided(Decision::Rule, harm, 4).with_flows(flows.clone()));
        assert_eq!(
            meant(Harm::Unknown),
            "Refused as meant: 4 packets; seen: a -> b TCP."
        );
        assert!(meant(Harm::Outage).ends_with("Nothing of these flows gets through."));
    }

    #[test]
    fn an_outage_names_the_flows_and_whether_somebody_is_there() {
        let outage = Assessment::of(Harm::Outage)
            .by(Culprit::Here)
            .with_packets(5)
            .with_flows(vec!["a -> b TCP".to_owned()]);
        assert_eq!(
            hurts(&outage),
            "Nothing gets through of a -> b TCP: 5 packets lost."
        );
        let nobody = Assessment {
            is_towards_nobody: true,
            ..outage
        };
        assert!(hurts(&nobody).starts_with("Only the sender"));
    }
}
