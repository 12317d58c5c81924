//! Queueing disciplines of devices, as RTM_GETQDISC shows them.

use serde::{Deserialize, Serialize};

/// TC_H_ROOT: the parent of a device's root discipline.
const ROOT: u32 = u32::MAX;

/// One queueing discipline of a device: its root, or one below another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueingDiscipline {
    /// Its kind (TCA_KIND): `pfifo_fast`, `fq_codel`, `netem`, ..
    pub kind: String,
    /// Its handle (`tcm_handle`): the major number in the upper 16 bits; 0 for one that the kernel made by itself.
    pub handle: u32,
    /// The class that it is attached to (`tcm_parent`), whose major number is its parent's.
    pub parent: u32,
    /// Packets that a `pfifo` holds (`struct tc_fifo_qopt`); absent for other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Packets that it had dropped before the window (`gnet_stats_queue`, 32 bits in the kernel); absent for one that
    /// appeared within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drops_before: Option<u32>,
    /// The same at the end.
    pub drops: u32,
}

impl QueueingDiscipline {
    /// Packets that it dropped within the window.
    pub fn increase(&self) -> u64 {
        let before = self.drops_before.unwrap_or_default();
        u64::from(self.drops.saturating_sub(before))
    }

    /// It is the root of its device.
    pub fn is_root(&self) -> bool {
        self.parent == ROOT
    }

    /// It is attached to a class of this one. Major number 0 is that of a root that the kernel made by itself, and of
    /// what it made below: of these only the root has classes.
    pub fn is_below(&self, upper: &Self) -> bool {
        let has_classes = upper.handle != 0 || upper.is_root();
        !self.is_root() && self.parent >> 16 == upper.handle >> 16 && has_classes
    }
}
