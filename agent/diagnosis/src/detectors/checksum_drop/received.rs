//! Packets that arrived beside the dropped ones, by which the share of the loss is judged.

use super::{candidates::Candidates, trigger::Trigger};
use crate::{
    Window,
    detectors::kit::harm,
    packets::ip::{TCP, UDP},
};

impl Candidates<'_> {
    /// The packets of the same protocols that the namespace received beside the dropped ones; `None` for what a filter
    /// dropped on its way.
    pub(super) fn carried(&self, window: &Window<'_>) -> Option<u64> {
        let namespace = window.namespace(self.netns?)?;
        let has = |protocol| self.keys.iter().any(|key| key.protocol == Some(protocol));
        let (tcp, udp) = (has(TCP), has(UDP));
        if self.trigger == Trigger::Elsewhere || !(tcp || udp) {
            return None;
        }
        let tcp = match tcp {
            true => harm::tcp_received_beside(namespace, self.dropped(TCP))?,
            false => 0,
        };
        // A datagram with a wrong checksum is none that a program received.
        let udp = match udp {
            true => harm::udp_received(namespace)?,
            false => 0,
        };
        Some(tcp.saturating_add(udp))
    }

    fn dropped(&self, protocol: u8) -> u64 {
        let keys = self.keys.iter();
        let of_protocol = keys.filter(|key| key.protocol == Some(protocol));
        let counts = of_protocol.map(|key| key.drop.count);
        counts.fold(0, u64::saturating_add)
    }

    /// The packets that the device of the drops received beside the lost ones, where it is known.
    pub(super) fn carried_by_device(&self, window: &Window<'_>, lost: u64) -> Option<u64> {
        let link = window.topology.link(self.netns?, self.ifindex)?;
        (!window.has_ended(link)).then(|| harm::received_beside(link, lost))
    }
}
