//! Connections that a listener refuses because one of its queues is full: that of connections which its program has not
//! accepted yet, or that of handshakes which are not complete. The kernel frees most of these packets as if it had read
//! them, so that only counters tell.
//!
//! And packets for which no socket is there at all: nobody listens on the port, or a program does on another address.

mod judge;
mod ports;
#[cfg(test)]
mod tests;
mod text;

use self::{
    judge::Fault,
    ports::Refused,
    text::{PortWords, Words},
};
use super::{
    Detector,
    kit::{Evidence, Need, explained_but_flows, explained_by, sockets},
};
use crate::{
    Window,
    causes::{Check, LISTEN_QUEUE},
    finding::{Finding, Outcome, Subject, Unchecked},
};

const NEEDS: &[Need] = &[
    Need::part(
        Evidence::ProtocolCounters,
        "connections that listeners refuse",
    ),
    Need::part(Evidence::Drops, "last segments of refused handshakes"),
];

/// As many flows are shown one by one.
const FLOWS_SHOWN: usize = 3;

/// The `ListenQueue` check.
pub(super) struct ListenQueue;

impl Detector for ListenQueue {
    fn check(&self) -> &'static Check {
        &LISTEN_QUEUE
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for fault in judge::faults(window, so_far) {
            outcome.extend(explained(window, &fault));
        }
        let mut on_ports = Outcome::default();
        for refused in ports::refused(window, so_far) {
            on_ports.extend(refused_at(window, &refused));
        }
        let unknown = judge::without_settings(window);
        let unknown = text::without_settings(&unknown);
        let unknown = unknown.map(|reason| Unchecked::in_part(&LISTEN_QUEUE, reason));
        outcome.unchecked.extend(unknown);
        let unread = sockets::unread(
            window,
            &outcome,
            &LISTEN_QUEUE,
            "which listener refuses connections",
        );
        outcome.unchecked.extend(unread);
        outcome.extend(on_ports);
        outcome
    }
}

fn explained(window: &Window<'_>, fault: &Fault<'_>) -> Outcome {
    let words = Words { window, fault };
    let mut finding = Finding::new(
        fault.kind.cause(),
        fault.assessment.clone(),
        Subject::of_namespace(fault.namespace),
        words.text(),
    );
    finding.confidence = fault.confidence;
    finding.evidence = words.proofs();
    finding.details = words.listeners();
    finding.remedies = words.remedies();
    explained_by(finding, window, &fault.tally)
}

fn refused_at(window: &Window<'_>, refused: &Refused<'_>) -> Outcome {
    let words = PortWords { window, refused };
    let mut finding = Finding::new(
        refused.kind.cause(),
        refused.assessment.clone(),
        Subject::of_namespace(refused.namespace),
        words.text(),
    );
    finding.confidence = refused.confidence;
    finding.evidence = words.proofs();
    finding.remedies = words.remedies();
    let flows = refused.assessment.flows.iter().take(FLOWS_SHOWN);
    finding.details = flows.map(|flow| ("Flow", flow.clone())).collect();
    explained_but_flows(finding, window, &refused.tally)
}
