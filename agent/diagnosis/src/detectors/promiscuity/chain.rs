//! Receive filters that follow each other: promiscuity goes down from a bond to its slaves and from a VLAN or
//! macvlan device to the one below it.

use crate::evidence::{EvidenceWindow, Link, LinkKind};

/// Devices stacked on each other; deeper is a recording that lies.
const DEEPEST: usize = 8;

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
    pub(super) fn passes_below(&self) -> bool {
        matches!(
            self.kind,
            Some(LinkKind::Vlan | LinkKind::MacVlan | LinkKind::MacVtap | LinkKind::MacSec)
        )
    }

    /// A macvlan or macvtap device in passthru mode.
    pub(super) fn is_passthru(&self) -> bool {
        self.macvlan
            .as_ref()
            .is_some_and(|settings| settings.mode == "passthru")
    }

    /// Filters frames by destination unless told otherwise: NICs (virtio too), and macvlan, which looks addresses up.
    /// A veth, a tap or a dummy takes whatever it is given.
    pub(in crate::detectors) fn filters_addresses(&self) -> bool {
        match self.kind {
            None => self.name != "lo",
            Some(LinkKind::MacVlan | LinkKind::MacVtap) => true,
            Some(_) => false,
        }
    }
}

/// The device that `link` lies on, for kinds that have one.
pub(super) fn below<'a>(window: &'a EvidenceWindow, link: &Link) -> Option<&'a Link> {
    let peer = link.peer.as_ref().filter(|_| link.passes_below())?;
    window.link(peer.netns?, peer.ifindex)
}

/// Devices whose receive filter follows that of `link`.
pub(in crate::detectors) fn lowers<'a>(
    window: &'a EvidenceWindow,
    link: &'a Link,
) -> Vec<&'a Link> {
    if matches!(link.kind, Some(LinkKind::Bond | LinkKind::Team)) {
        return window.slaves(link).collect();
    }
    below(window, link).into_iter().collect()
}

/// Devices that `link`'s receive filter follows.
pub(in crate::detectors) fn uppers<'a>(
    window: &'a EvidenceWindow,
    link: &'a Link,
) -> Vec<&'a Link> {
    let master = window
        .master(link)
        .filter(|master| master.passes_to_slaves());
    let on_top = window.links().iter().filter(|upper| {
        upper.passes_below()
            && upper
                .peer
                .as_ref()
                .is_some_and(|peer| peer.netns == Some(link.netns) && peer.ifindex == link.ifindex)
    });
    master.into_iter().chain(on_top).collect()
}

/// `link` and every device below it.
pub(in crate::detectors) fn stack_below<'a>(
    window: &'a EvidenceWindow,
    link: &'a Link,
) -> Vec<&'a Link> {
    closure(link, |link| lowers(window, link))
}

/// `link` and every device whose filter it follows, however indirectly.
pub(in crate::detectors) fn stack_above<'a>(
    window: &'a EvidenceWindow,
    link: &'a Link,
) -> Vec<&'a Link> {
    closure(link, |link| uppers(window, link))
}

fn closure<'a>(link: &'a Link, next: impl Fn(&'a Link) -> Vec<&'a Link>) -> Vec<&'a Link> {
    let mut found = vec![link];
    let mut level = vec![link];
    for _ in 0..DEEPEST {
        level = level.into_iter().flat_map(&next).collect();
        level.retain(|device| !found.iter().any(|known| is_same(known, device)));
        level.dedup_by(|a, b| is_same(a, b));
        if level.is_empty() {
            break;
        }
        found.extend(&level);
    }
    found
}

fn is_same(a: &Link, b: &Link) -> bool {
    (a.netns, a.ifindex) == (b.netns, b.ifindex)
}

/// Devices that stand alike on each other, level by level from the lowest.
pub(super) type Chain<'a> = Vec<Vec<&'a Link>>;

/// The chain that ends at `link`, within its namespace, of the devices that do as it does: promiscuous, or taking every
/// multicast frame.
pub(super) fn chain<'a>(
    window: &'a EvidenceWindow,
    link: &'a Link,
    follows: impl Fn(&Link) -> bool + Copy,
) -> Chain<'a> {
    let mut levels = vec![vec![link]];
    let mut at = link;
    for _ in 0..DEEPEST {
        let mut below = lowers(window, at);
        below.retain(|lower| lower.netns == link.netns && follows(lower));
        match below.as_slice() {
            [] => break,
            [only] => {
                at = only;
                levels.push(below);
            }
            _ => {
                levels.push(below);
                break;
            }
        }
    }
    levels.reverse();
    levels
}
