//! The decisions that end packets: they are no faults.

/// The maker of a decision that packets go no further, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// A rule of the packet filter, or the policy of its chain.
    Rule,
    /// A program that sees each packet: a tc filter, XDP, BPF on a socket or a control group.
    Program,
    /// IPsec, a security module, the filter of a device.
    Policy,
    /// A setting that switches a protocol off, or keeps bridge ports apart.
    Setting,
    /// No socket was open on the port.
    ClosedPort,
    /// Several of these, not counted apart.
    Several,
}

impl Decision {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Rule,
        Self::Program,
        Self::Policy,
        Self::Setting,
        Self::ClosedPort,
        Self::Several,
    ];

    /// The word that resources use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "Rule",
            Self::Program => "Program",
            Self::Policy => "Policy",
            Self::Setting => "Setting",
            Self::ClosedPort => "ClosedPort",
            Self::Several => "Several",
        }
    }

    /// The same for both, or several.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Several }
    }
}
