//! The words about a full queue: whose, what became of the packets, what ends it.

use super::judge::{Direction, FullQueue};
use crate::{
    Window,
    causes::QUEUE_CHECK_RACE,
    detectors::kit::{proof, say},
    evidence::Owner,
    explained_retransmissions::Explained,
    finding::{Harm, Proof, Remedy, Text},
};

/// As many readers as a person reads.
const READERS_SHOWN: usize = 3;

pub(super) fn text(window: &Window<'_>, queue: &FullQueue<'_>) -> Text {
    let name = &queue.link.name;
    let lost = say::count(queue.tally.count, "packet");
    let length = queue.link.tx_queue_length;
    let reader = match queue.readers.first() {
        Some(owner) => format!(" for {}", say::process(owner)),
        None => String::new(),
    };
    let (headline, what) = if queue.is_stopped {
        let who = match queue.readers.first() {
            Some(owner) => say::process(owner),
            None => "The guest or program behind it".to_owned(),
        };
        let reads = match queue.has_taken_nothing() {
            true => "reads nothing",
            false => "seems to read nothing",
        };
        (
            format!("{who} {reads} from {name}: its queue of {length} was full, {lost} lost"),
            overflow(queue),
        )
    } else if *queue.cause == QUEUE_CHECK_RACE {
        (
            format!("{name} dropped {lost}{reader}, perhaps while its queue of {length} had room"),
            race(window, queue),
        )
    } else {
        (
            format!("{name} dropped {lost}{reader}: its queue of {length} was full"),
            overflow(queue),
        )
    };
    Text {
        headline,
        what,
        hurts: hurts(queue),
    }
}

fn overflow(queue: &FullQueue<'_>) -> String {
    let name = &queue.link.name;
    let who = match queue.readers.as_slice() {
        [] => "The guest or program behind it (its process is not known)".to_owned(),
        [first, others @ ..] => say::and_others(&say::process(first), others.len(), "process"),
    };
    let way = match queue.direction {
        Direction::Receive => "What comes in for the guest",
        Direction::Transmit => "What the stack sends to the guest or program",
    };
    let why = if queue.is_stopped && queue.has_taken_nothing() {
        "Not one packet was taken meanwhile: the reader is stopped, or reads another queue."
    } else if queue.is_stopped {
        "No more came in meanwhile than the queue holds: the reader is stopped, reads another queue, or is far too slow."
    } else {
        "The reader is too slow or was stopped for a moment: no CPU time for it or for the guest, or a burst longer \
         than the queue."
    };
    format!(
        "{way} waits in a queue of {} packets until it is read. {who} did not read {name} in time, the queue was full, \
         and the kernel dropped what came next. {why}",
        queue.link.tx_queue_length
    )
}

fn race(window: &Window<'_>, queue: &FullQueue<'_>) -> String {
    format!(
        "Before Linux 4.16 the kernel asks without a lock whether the queue of {name} is full, and can see a slot as \
         taken that is being emptied: then it drops though there is room. This node runs {kernel}. A queue that was \
         full looks the same, so look first whether {name} still drops with a queue that is far longer than any burst.",
        name = queue.link.name,
        kernel = window.node.kernel,
    )
}

fn hurts(queue: &FullQueue<'_>) -> String {
    let whom = match queue.direction {
        Direction::Receive => "What is sent to the guest",
        Direction::Transmit => "What this node sends to the guest or program",
    };
    let again = match queue.explained {
        Some(Explained {
            segments, late, of, ..
        }) => format!(
            "Drops here explain at least {segments} of {of} retransmissions on this node while netdiag watched them, \
             {late} of these 200 ms or more after the drop."
        ),
        None if !queue.senders.is_empty() => {
            "An end of these flows on this node sent segments again meanwhile, likely because of these drops; netdiag \
             did not see which segment followed which drop."
                .to_owned()
        }
        None => "No end of the sampled flows on this node was seen to send TCP segments again; a sender elsewhere, or \
                 one whose counters were not read, may have."
            .to_owned(),
    };
    let of_all = queue.assessment.clone().out_of(Some(queue.carried));
    let part = say::part(&of_all, "packet");
    let packets = say::count(queue.tally.count, "packet");
    let lost = match queue.assessment.harm {
        Harm::None => {
            return format!("Nobody: only broadcasts and multicasts were lost, {packets}.");
        }
        Harm::Outage if queue.is_stopped && queue.has_taken_nothing() => {
            format!("{whom} does not get through: {packets} lost, and not one was read.")
        }
        Harm::Outage if queue.is_stopped => format!(
            "{whom} seems not to get through: {part} lost, and no more found room than the queue holds."
        ),
        Harm::Outage => format!(
            "{whom}: {part} lost, and the same segments of a connection three times or more, so nothing of it gets \
             through."
        ),
        _ => format!(
            "{whom}: {part} lost. TCP sends its own again, the last segments of an answer only after 200 ms or more; \
             UDP does not."
        ),
    };
    format!("{lost}{} {again}", say::seen(&queue.assessment))
}

pub(super) fn proofs(window: &Window<'_>, queue: &FullQueue<'_>) -> Vec<Proof> {
    let link = queue.link;
    let counter = queue.direction.counter();
    let mut proofs = proof::drops(window, &queue.tally);
    proofs.extend([
        proof::link_rose(link, counter, queue.direction.increase(link)),
        proof::setting(
            link,
            "queue length",
            link.tx_queue_length,
            "packets",
            "netlink",
        ),
    ]);
    let counters = [("Tcp.RetransSegs", "segments"), ("TcpExt.TCPTimeouts", "")];
    for sender in &queue.senders {
        let rose = counters.map(|(counter, unit)| proof::counter_rose(sender, counter, unit));
        for mut proof in rose.into_iter().flatten() {
            proof.name.push_str(", an end of the sampled flows");
            proofs.push(proof);
        }
    }
    proofs
}

pub(super) fn details(window: &Window<'_>, queue: &FullQueue<'_>) -> Vec<(&'static str, String)> {
    let shown = queue.readers.iter().take(READERS_SHOWN);
    let mut details: Vec<_> = shown
        .map(|owner| ("Reader", say::process_of_pod(owner)))
        .collect();
    if details.is_empty() {
        let why = match window.tun_holders.missing() {
            Some(reason) => format!("unknown ({reason})"),
            None => "unknown: no process that could be looked into has it open".to_owned(),
        };
        details.push(("Reader", why));
    }
    details.extend(say::flows(window, &queue.tally));
    details
}

pub(super) fn remedies(queue: &FullQueue<'_>) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = queue
        .longer
        .map(|longer| lengthen(queue, longer))
        .into_iter()
        .collect();
    if queue.is_stopped {
        remedies.extend(queue.readers.first().map(|owner| state_of(owner)));
        remedies.push(Remedy::advice(match queue.has_taken_nothing() {
            true => {
                "Let the guest or program read the device: resume it, start it, or end what stops it. A longer queue does \
                 not help."
            }
            false => {
                "Let the guest or program read the device: resume it, start it, end what stops it, or give it CPU time. A \
                 longer queue does not help."
            }
        }));
        return remedies;
    }
    if *queue.cause == QUEUE_CHECK_RACE {
        let text = "Where it still drops then: run a kernel from 4.16 on, which has no such check.";
        remedies.push(Remedy::advice(text));
    }
    remedies.push(Remedy::advice(
        "Let the reader keep up: CPU time for the guest and its vhost thread or for the program, more than one queue, \
         fewer packets.",
    ));
    let text = "See on the sender whether TCP waits because of it: TCPTimeouts rises, and `ss -ti` shows retrans and \
                an rto of 200 or more. Answers that take 200 to 260 ms while most are quick come from this.";
    let look = ["nstat", "-azs", "TcpRetransSegs", "TcpExtTCPTimeouts"];
    remedies.push(match queue.senders.first() {
        Some(sender) => Remedy::command_in(sender, text, &look, &[]),
        None => Remedy::advice(text),
    });
    remedies
}

fn state_of(reader: &Owner) -> Remedy {
    let text = "See its state: T is stopped by a signal, D waits for a disk. In S the guest itself is paused, or its \
                driver does not run.";
    Remedy::command_about(reader, text, &["ps", "-o", "pid,stat,wchan:20,args", "-p"])
}

fn lengthen(queue: &FullQueue<'_>, longer: u32) -> Remedy {
    let name = queue.link.name.as_str();
    let length = queue.link.tx_queue_length;
    let set = |length: u32| {
        let words = [
            "ip",
            "link",
            "set",
            "dev",
            name,
            "txqueuelen",
            &length.to_string(),
        ];
        Remedy::command_in(queue.namespace, "Lengthen the queue.", &words, &[name])
    };
    let effect = format!(
        "each queue of the device holds {longer} packets instead of {length}: packets wait through a stall, and take \
         memory meanwhile"
    );
    let change = set(longer).undone_by(set(length));
    match queue.namespace.pod {
        Some(_) => change.with_effect(format!("{effect}; it ends with the pod")),
        None => change.with_effect(effect).lasting(format!(
            "TransmitQueueLength={longer} in [Link] of a .link file for the device (/etc/systemd/network/)"
        )),
    }
}
