//! Which device's receive filter follows which: promiscuity goes down from a bond to its slaves and from a VLAN or
//! macvlan device to the one below it.

use std::collections::HashSet;

use super::{DEEPEST, Topology};
use crate::evidence::{Link, LinkKind};

impl Link {
    /// Passes its own promiscuity on to its slaves (`bond_change_rx_flags`, `team_change_rx_flags`, netvsc).
    fn passes_to_slaves(&self) -> bool {
        !matches!(
            self.kind,
            Some(LinkKind::Bridge | LinkKind::OpenVSwitch | LinkKind::Vrf)
        )
    }

    /// Passes its own promiscuity on to the device below (`vlan_dev_change_rx_flags`, `macvlan_change_rx_flags`,
    /// `macsec_dev_change_rx_flags`).
    pub(crate) fn passes_below(&self) -> bool {
        matches!(
            self.kind,
            Some(LinkKind::Vlan | LinkKind::MacVlan | LinkKind::MacVtap | LinkKind::MacSec)
        )
    }

    /// Filters frames by destination unless told otherwise: NICs (virtio too), and macvlan, which looks addresses up.
    /// A veth, a tap or a dummy takes whatever it is given.
    pub(crate) fn filters_addresses(&self) -> bool {
        match self.kind {
            None => self.name != "lo",
            Some(LinkKind::MacVlan | LinkKind::MacVtap) => true,
            Some(_) => false,
        }
    }
}

impl<'e> Topology<'e> {
    /// Devices whose receive filter follows that of `link`.
    pub(crate) fn lowers(&self, link: &Link) -> Vec<&'e Link> {
        if matches!(link.kind, Some(LinkKind::Bond | LinkKind::Team)) {
            return self.ports(link).collect();
        }
        let lower = link.lower_id().filter(|_| link.passes_below());
        let lower = lower.and_then(|lower| self.links.get(&lower));
        lower.into_iter().copied().collect()
    }

    /// Devices that `link`'s receive filter follows.
    pub(crate) fn uppers(&self, link: &Link) -> impl Iterator<Item = &'e Link> {
        let master = self.master(link).filter(|master| master.passes_to_slaves());
        let on_top = self.on_top(link).filter(|upper| upper.passes_below());
        master.into_iter().chain(on_top)
    }

    /// `link` and every device below it.
    pub(crate) fn stack_below(&self, link: &'e Link) -> Vec<&'e Link> {
        closure(link, |link| self.lowers(link))
    }

    /// `link` and every device whose filter it follows, however indirectly.
    pub(crate) fn stack_above(&self, link: &'e Link) -> Vec<&'e Link> {
        closure(link, |link| self.uppers(link).collect())
    }
}

fn closure<'e>(link: &'e Link, next: impl Fn(&'e Link) -> Vec<&'e Link>) -> Vec<&'e Link> {
    let mut known = HashSet::from([link.id()]);
    let mut found = vec![link];
    let mut level = vec![link];
    for _ in 0..DEEPEST {
        level = level.into_iter().flat_map(&next).collect();
        level.retain(|device| known.insert(device.id()));
        if level.is_empty() {
            break;
        }
        found.extend(&level);
    }
    found
}
