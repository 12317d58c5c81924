//! The chain of devices that a finding is about.

use crate::{Window, evidence::Link, topology::DEEPEST};

impl Link {
    /// A macvlan or macvtap device in passthru mode.
    pub(super) fn is_passthru(&self) -> bool {
        self.macvlan
            .as_ref()
            .is_some_and(|settings| settings.mode == "passthru")
    }
}

/// Devices that stand alike on each other, level by level from the lowest.
pub(super) type Chain<'a> = Vec<Vec<&'a Link>>;

/// The chain that ends at `link`, within its namespace, of the devices that do as it does: promiscuous, or taking every
/// multicast frame.
pub(super) fn chain<'a>(
    window: &'a Window<'_>,
    link: &'a Link,
    follows: impl Fn(&Link) -> bool + Copy,
) -> Chain<'a> {
    let mut levels = vec![vec![link]];
    let mut at = link;
    for _ in 0..DEEPEST {
        let mut below = window.topology.lowers(at);
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
