//! The words about packets whose bytes changed.

use super::{counters, signatures};
use crate::{
    Window,
    detectors::{
        checksum_drop::{
            judge::{Broken, Shows},
            way::Way,
        },
        kit::{proof, say},
    },
    finding::{Assessment, Harm, Proof, Remedy, Subject, Text},
};

pub(crate) fn text(found: &Broken<'_>, subject: &Subject, assessment: &Assessment) -> Text {
    let changed = match found.way {
        Way::Wire => {
            "the bytes changed on the way: a faulty cable, port or memory, or a program that rewrites packets".to_owned()
        }
        Way::Written(link) => format!(
            "the program or guest that writes to {} sent a wrong checksum or passed one on: no wire lies between",
            link.name
        ),
        Way::Local => "a program on this node sent a wrong checksum or rewrote the packets: their senders are on this \
                       node too, so no wire lies between"
            .to_owned(),
    };
    let mut what = match found.shows {
        Shows::OtherChecksum => format!(
            "The kernel found the checksum of the IP header or of ICMP wrong. No sender leaves these to the device, so \
             {changed}."
        ),
        Shows::Nothing => "The kernel found the checksum wrong. Too few of these packets were sampled, so whether bytes \
                           broke or a program passed on a checksum that was not filled in is not known."
            .to_owned(),
        Shows::FixedValue => "The kernel found the checksum wrong. The checksum field holds the same value in packets \
                              of different lengths or addresses, so a program writes a fixed value instead of a sum."
            .to_owned(),
        Shows::FewHalfMade => "The kernel found the checksum wrong. Of the few packets sampled some hold a checksum \
                               that was not filled in and would come from a program that passes such packets on; too \
                               few to tell this from broken bytes."
            .to_owned(),
        Shows::ChangedBytes => format!(
            "The kernel found the checksum wrong. The field holds no checksum that was not filled in, so {changed}."
        ),
    };
    if found.flipped > 0 {
        what.push_str(&format!(
            " {} came with an EtherType that is unknown and one bit from that of IP or ARP.",
            say::count(found.flipped, "frame")
        ));
    }
    let part = say::part(assessment, "packet");
    let place = say::place(subject);
    let hurts = match found.shows {
        Shows::FixedValue => format!(
            "{part} {place} lost: packets with that value never arrive, however often they are sent."
        ),
        _ if assessment.harm == Harm::Outage => format!(
            "{part} {place} lost, the same segments of a connection three times or more: nothing of it gets through."
        ),
        _ => format!("{part} {place} lost. TCP sends its own again, UDP does not."),
    };
    Text {
        headline: format!(
            "{} with a wrong checksum dropped {place}",
            say::count(found.tally.count, "packet"),
        ),
        what,
        hurts: format!("{hurts}{}", say::seen(assessment)),
    }
}

pub(crate) fn evidence(window: &Window<'_>, found: &Broken<'_>) -> Vec<Proof> {
    let candidates = found.candidates;
    let mut proofs = proof::drops(window, &found.tally);
    proofs.extend(signatures(candidates, candidates.broken()));
    proofs.extend(counters(window, candidates));
    proofs
}

pub(crate) fn remedies(window: &Window<'_>, found: &Broken<'_>) -> Vec<Remedy> {
    let programs = match found.way {
        Way::Wire => "Look for a program on the way that rewrites packets without a new checksum.",
        Way::Written(_) | Way::Local => {
            "Look for the program that sends or rewrites these packets (raw and packet sockets, eBPF programs, netem, \
             user space proxies), and let it compute the checksum."
        }
    };
    let ports = match found.way {
        Way::Wire => Some(compare_ports(window, found)),
        Way::Written(_) | Way::Local => None,
    };
    ports
        .into_iter()
        .chain([Remedy::advice(programs)])
        .collect()
}

fn compare_ports(window: &Window<'_>, found: &Broken<'_>) -> Remedy {
    const TEXT: &str = "Compare the error counters of the ports on the way; the hop behind which they rise breaks the bytes.";
    let netns = found.candidates.netns;
    let link = netns.and_then(|netns| window.topology.link(netns, found.candidates.ifindex));
    let nic = link.filter(|link| link.kind.is_none());
    let place = nic.and_then(|link| Some((link, window.namespace(link.netns)?)));
    match place {
        Some((link, namespace)) => {
            let name = link.name.as_str();
            Remedy::command_in(namespace, TEXT, &["ethtool", "-S", name], &[name])
        }
        None => Remedy::advice(format!("{TEXT} On a NIC: ethtool -S DEVICE")),
    }
}
