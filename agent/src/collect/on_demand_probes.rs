//! The probes that questions attach, within one window.

use std::time::Duration;

use netdiag_diagnosis::evidence::{FrameCopies, GroReceive, Link, OnDemand, Retransmissions};

use super::{
    on_demand::{Need, Watch},
    questions,
    snapshot::{End, Seen},
};
use crate::{
    probes::{
        Kernel, frame_copies::FrameCopiesProbe, gro::GroProbe, retransmissions::RetransmissionProbe,
    },
    sources::{Sources, pulse::Pulse},
};

/// The probes, and what raises their questions.
pub struct OnDemandProbes {
    pulse: Pulse,
    frame_copies: Watch<FrameCopiesProbe>,
    ask_for_frame_copies: questions::FrameCopies,
    retransmissions: Watch<RetransmissionProbe>,
    gro: Watch<GroProbe>,
    /// Stands for the whole window.
    need_for_gro: Need,
}

/// What the probes saw.
pub struct Answers {
    /// Frames that came in on two interfaces.
    pub frame_copies: OnDemand<FrameCopies>,
    /// What generic receive offload made of segment routing traffic.
    pub gro: OnDemand<GroReceive>,
    /// TCP retransmissions joined to drops.
    pub retransmissions: OnDemand<Retransmissions>,
}

impl OnDemandProbes {
    /// Asks the questions that what was read at the window's start raises.
    pub fn begin(sources: &Result<Sources, String>, before: &End, kernel: &Kernel) -> Self {
        let reading = before.reading();
        let links = reading.and_then(|reading| reading.links.value());
        let links: &[Link] = links.map_or(&[], Vec::as_slice);
        let namespaces = reading.map_or(&[][..], |reading| &reading.namespaces);
        let receiving_groups = namespaces
            .iter()
            .filter(|one| {
                one.multicast_groups
                    .as_ref()
                    .is_some_and(|all| !all.is_empty())
            })
            .map(|one| one.id)
            .collect();
        let segment_route = sources.as_ref().ok().and_then(Sources::segment_route);
        let mut probes = Self {
            pulse: reading.map(Pulse::from).unwrap_or_default(),
            frame_copies: Watch::default(),
            ask_for_frame_copies: questions::FrameCopies::of(links, &receiving_groups),
            retransmissions: Watch::default(),
            gro: Watch::default(),
            need_for_gro: questions::gro_of(links, segment_route),
        };
        probes.tick(kernel, Duration::ZERO);
        probes
    }

    /// Asks again, about once a second. `now` is the time since the window began.
    pub fn tick(&mut self, kernel: &Kernel, now: Duration) {
        let rises = self.pulse.read();
        let need = self.ask_for_frame_copies.after(&rises);
        self.frame_copies.update(need, kernel, now);
        let need = questions::retransmissions_after(&rises);
        self.retransmissions.update(need, kernel, now);
        self.gro.update(self.need_for_gro.clone(), kernel, now);
    }

    /// Detaches what is attached and tells what was seen.
    pub fn finish(self, now: Duration, seen: &Seen) -> Answers {
        let links = seen.links.value().map_or(&[][..], Vec::as_slice);
        let namespaces = &seen.namespaces;
        Answers {
            frame_copies: self.frame_copies.finish(now, namespaces, links),
            gro: self.gro.finish(now, namespaces, links),
            retransmissions: self.retransmissions.finish(now, namespaces, links),
        }
    }
}
