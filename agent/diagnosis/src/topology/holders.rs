//! Which process holds which TUN, TAP, macvtap or ipvtap device open.
//!
//! A holder names its device, and the device may have been moved to another namespace after it was opened. So a name
//! that is not found at home means the only device that has it on the node.

use super::Topology;
use crate::evidence::{Link, LinkKind, TunHolder};

impl<'e> Topology<'e> {
    /// The device that this process holds.
    pub(crate) fn held_by(&self, holder: &TunHolder) -> Option<&'e Link> {
        let named = self.named(&holder.device);
        let at_home = named.iter().find(|link| link.netns == holder.netns);
        let mut tuns = named.iter().filter(|link| link.kind == Some(LinkKind::Tun));
        at_home
            .or_else(|| tuns.next().filter(|_| tuns.next().is_none()))
            .copied()
    }

    /// Those that hold this device, of the processes that hold one of its name.
    pub(crate) fn holders<'h>(&self, link: &Link, of_name: &[&'h TunHolder]) -> Vec<&'h TunHolder> {
        let (here, elsewhere): (Vec<_>, Vec<_>) = of_name
            .iter()
            .partition(|holder| holder.netns == link.netns);
        let alike = self.named(&link.name).iter();
        let is_only_one = alike.filter(|other| other.kind == link.kind).count() == 1;
        if here.is_empty() && is_only_one {
            elsewhere
        } else {
            here
        }
    }

    fn named(&self, name: &str) -> &[&'e Link] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}
