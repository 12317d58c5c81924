//! The harm that a finding does, and where a change would end it.

/// The harm to the traffic, the mildest first: the order in which a verdict is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// Nobody misses the packets: copies, old data, nobody's frames.
    None,
    /// Everything arrives, with more CPU or less throughput.
    Cost,
    /// Wanted and unwanted packets end in one place, and nothing tells which these were.
    Unknown,
    /// Packets arrived late: dropped segments whose retransmissions were seen to pass.
    Delay,
    /// Wanted packets are gone.
    Loss,
    /// Nothing of a flow, a service or a device gets through.
    Outage,
}

impl Harm {
    /// Every harm, the mildest first.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Cost,
        Self::Unknown,
        Self::Delay,
        Self::Loss,
        Self::Outage,
    ];

    /// The word that resources and output use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Cost => "Cost",
            Self::Unknown => "Unknown",
            Self::Delay => "Delay",
            Self::Loss => "Loss",
            Self::Outage => "Outage",
        }
    }
}

/// The place where a change would end the harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Culprit {
    /// This node.
    Here,
    /// Another host, the peer, the wire.
    Elsewhere,
    /// Not known.
    Unknown,
}

impl Culprit {
    /// The word that resources and output use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "Here",
            Self::Elsewhere => "Elsewhere",
            Self::Unknown => "Unknown",
        }
    }
}
