//! Ports of bonds and teams that wait for their turn, as their counters prove it.

use std::collections::HashMap;

use super::frames::Frames;
use crate::{
    Window,
    evidence::{Link, LinkId},
};

/// The frames that were dropped on each port of a bond, except link-local ones, which a bond lets pass on every port
/// (`bond_handle_frame`).
#[derive(Default)]
pub(super) struct Waiting {
    dropped: HashMap<LinkId, u64>,
}

impl Waiting {
    /// Adds the drops of one key on this link.
    pub(super) fn add(&mut self, link: &Link, frames: &Frames<'_>, count: u64) {
        if link.master.is_some() && !frames.is_link_local() {
            let dropped = self.dropped.entry(link.id()).or_default();
            *dropped = dropped.saturating_add(count);
        }
    }

    /// The bond or team of a port that waited when it got these frames. What nobody takes of them counts in
    /// rx_nohandler there, and in rx_dropped on a port that carries traffic; so the number proves that the port waited,
    /// whatever it does when the window ends.
    pub(super) fn master<'a>(
        &self,
        window: &'a Window<'_>,
        link: &Link,
        frames: &Frames<'_>,
    ) -> Option<&'a Link> {
        let master = window.topology.master(link)?;
        if link.is_waiting_team_port() {
            return Some(master);
        }
        master.bond.as_ref().filter(|_| !frames.is_link_local())?;
        let counted = link.increase(|stats| stats.rx_nohandler);
        let dropped = self.dropped.get(&link.id()).copied().unwrap_or(0);
        // Counter and probe are not read at one instant: then the role decides.
        let waited = counted >= dropped || waits_now(master, link);
        (counted > 0 && waited).then_some(master)
    }
}

/// The port waits when the window ends.
fn waits_now(bond: &Link, port: &Link) -> bool {
    let active = bond.bond.as_ref().and_then(|bond| bond.active_slave);
    match port.bond_slave {
        Some(slave) => !slave.active,
        None => active.is_some_and(|active| active != port.ifindex),
    }
}
