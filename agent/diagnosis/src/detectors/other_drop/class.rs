//! The kinds of mechanisms, by what is certain of their harm.

use crate::finding::{Culprit, Decision};

/// A kind of mechanism. The evidence of a group of drops turns it into an assessment, see [`super::harm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nobody misses the packet: a copy, old data, what is left in a queue at its end.
    Unmissed,
    /// The effect that its sender wanted. Unlike the former it is said, because people look for it.
    Wanted,
    /// A rule, a policy, a closed port or a shaper meant it so.
    Decision(Decision),
    /// One place ends wanted and unwanted packets.
    Unknown,
    /// The harm hangs on the flow: an outage where the samples prove one, else not known.
    Flow(By),
    /// There is no way on. The same, but only where it lasts: an address that goes away takes its route and its port with
    /// it, and its peers try for a few seconds more.
    NoWay(By),
    /// The packets are for another host, and this one does not forward. The same, but only where it should: an end of the
    /// dead flow is behind it, or the device is a guest's. A plain host drops what is not for it.
    NotForwarded,
    /// Wanted packets had no room or were broken: loss by the share of what was carried.
    Loss(Culprit, Carried),
    /// The packet opens a connection, and the client sends it again.
    Delay,
    /// Nothing gets through the device: an outage for the single receiver that the samples show.
    Unreachable(Culprit),
}

/// The place of a change that would end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Always there.
    Culprit(Culprit),
    /// Here where the device is a pod's or a guest's, else not known: an uplink's packets may be anybody's.
    Device,
}

/// The traffic beside the lost packets by which their share is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// As the site of the drop tells: its protocol's own count, or the direction of the counter that it raises.
    BySite,
    /// Packets that the device received.
    Received,
    /// Packets that the device sent.
    Sent,
    /// Nothing counts it.
    Uncounted,
}

impl Class {
    /// The decision, where it is one.
    pub(super) fn decision(self) -> Option<Decision> {
        match self {
            Self::Decision(by) => Some(by),
            _ => None,
        }
    }

    /// The order in which the rows of several drop keys speak for one finding: the last does.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Unmissed | Self::Wanted => 0,
            Self::Decision(_) => 1,
            Self::Unknown => 2,
            Self::Flow(_) | Self::NoWay(_) | Self::NotForwarded => 3,
            Self::Delay => 4,
            Self::Loss(..) => 5,
            Self::Unreachable(_) => 6,
        }
    }
}
