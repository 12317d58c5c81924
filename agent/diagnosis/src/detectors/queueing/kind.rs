//! The mechanisms.

use crate::causes::{
    CONGESTION_SIGNAL, Cause, DEVICE_DOWN, NO_CARRIER, NO_READER, NOT_YET_ACTIVE, QUEUE_FULL,
    SHAPED,
};

/// The time for which a state held that ended packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lasts {
    /// It holds at the end of the window.
    Still,
    /// It ended within the window.
    Over,
}

/// A mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// No program has the TUN, TAP or macvtap device open.
    NoReader(Lasts),
    /// The device is switched off.
    DeviceDown,
    /// The device is switched on and has nobody to send to.
    NoCarrier(Lasts),
    /// The device had never sent anything before, and is ready by now.
    NotYetActive,
    /// A queueing discipline was full.
    Full,
    /// A queueing discipline told senders to slow down.
    Signal,
    /// A queueing discipline that somebody set to delay or drop packets did so.
    Shaped,
}

impl Kind {
    pub(super) fn cause(self) -> &'static Cause {
        match self {
            Self::NoReader(_) => &NO_READER,
            Self::DeviceDown => &DEVICE_DOWN,
            Self::NoCarrier(_) => &NO_CARRIER,
            Self::NotYetActive => &NOT_YET_ACTIVE,
            Self::Full => &QUEUE_FULL,
            Self::Signal => &CONGESTION_SIGNAL,
            Self::Shaped => &SHAPED,
        }
    }
}
