//! The counters that rise when a packet ends at a site.

use crate::kernel::{DeviceCounter, NamespaceCounter, Reason};

/// The drop reasons of a site that count. Where one function frees packets with and without counting them, the reason
/// tells.
#[derive(Clone, Copy, Debug)]
pub enum Reasons {
    /// Whatever ends here is counted.
    Any,
    /// These only. Books nothing on kernels without reasons.
    Only(&'static [Reason]),
    /// These; and on kernels without reasons the function itself, because it seldom frees for another cause.
    OnlyOrUnnamed(&'static [Reason]),
    /// These; and on kernels without reasons what a check has found to be a wrong checksum.
    OnlyOrFound(&'static [Reason]),
}

/// The counters that rise, and the devices that have them.
#[derive(Clone, Copy, Debug)]
pub enum Raises {
    /// `rx_dropped` of the packet's device, or `rx_nohandler` where the frame was for exact matches only.
    Receive,
    /// One counter of the packet's device.
    Device(DeviceCounter),
    /// `tx_dropped` of the packet's device; for a queueing discipline's drop only where the device has no carrier.
    Transmit,
    /// The packet still belongs to a sending veth: its `tx_dropped`, and its peer's `rx_dropped`.
    VethSender,
    /// The packet already belongs to the receiver: its `rx_dropped`; if that is a veth, its peer's `tx_dropped` too.
    Backlog,
    /// A counter of the packet's namespace.
    Namespace(NamespaceCounter),
    /// UDP's counter of wrong checksums of the packet's own IP version, because an IPv6 socket may receive IPv4.
    UdpByVersion,
}

impl Reasons {
    /// Tells whether a packet that ends there for this reason is counted. `is_wrong_checksum`: a check has found that
    /// it died of its checksum.
    pub fn include(&self, reason: &Reason, is_wrong_checksum: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Only(reasons) => reasons.contains(reason),
            Self::OnlyOrUnnamed(reasons) => reason.is_absent() || reasons.contains(reason),
            Self::OnlyOrFound(_) if reason.is_absent() => is_wrong_checksum,
            Self::OnlyOrFound(reasons) => reasons.contains(reason),
        }
    }
}
