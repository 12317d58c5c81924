//! Sockets that have no room for what arrives: their program reads too slowly, or holds them too long.

mod judge;
mod sandbox;
#[cfg(test)]
mod tests;
mod text;

use self::{judge::Fault, text::Words};
use super::{
    Detector,
    kit::{Evidence, Need, explained_by, sockets, untold},
};
use crate::{
    Window,
    causes::{Check, PACKET_SOCKET_FULL, SOCKET_BUFFER},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::part(Evidence::Drops, "flows of what sockets dropped"),
    Need::part(Evidence::PacketSockets, "packet sockets that are full"),
];

/// The `SocketBuffer` check.
pub(super) struct SocketBuffer;

impl Detector for SocketBuffer {
    fn check(&self) -> &'static Check {
        &SOCKET_BUFFER
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for fault in judge::faults(window, so_far) {
            outcome.extend(explained(window, &fault));
        }
        for full in judge::packet_sockets(window) {
            let subject = match full.link {
                Some(link) => Subject::of_link(link, Some(full.namespace)),
                None => Subject::of_namespace(full.namespace),
            };
            let assessment = full.assessment(window);
            let text = text::packet_socket(window, &full, &assessment);
            let mut finding = Finding::new(&PACKET_SOCKET_FULL, assessment, subject, text);
            finding.count = u64::from(full.socket.dropped);
            finding.last_ms = window.duration_ms;
            finding.evidence = vec![text::packet_socket_proof(&full)];
            finding.remedies = vec![text::packet_socket_remedy(&full)];
            outcome.findings.push(finding);
        }
        let copies = sandbox::copies(window, so_far);
        outcome.claims.extend(untold(&copies));
        let unread = sockets::unread(window, &outcome, &SOCKET_BUFFER, "which socket had no room");
        outcome.unchecked.extend(unread);
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
    finding.evidence = words.proofs();
    finding.details = words.sockets();
    finding.remedies = words.remedies();
    explained_by(finding, window, &fault.tally)
}
