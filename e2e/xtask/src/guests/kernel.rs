//! The kernels, and how each is emulated.

use std::fmt;

use clap::ValueEnum;

/// A stock kernel: that of a Debian release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kernel {
    /// Without drop reasons, with locked memory accounted
    #[value(name = "5.10")]
    V5_10,
    /// With drop reasons
    #[value(name = "6.1")]
    V6_1,
    /// With the receiving socket among the tracepoint's arguments
    #[value(name = "6.12")]
    V6_12,
}

impl Kernel {
    pub const ALL: [Self; 3] = [Self::V5_10, Self::V6_1, Self::V6_12];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }

    /// The Debian suite that has it.
    pub fn suite(self) -> &'static str {
        match self {
            Self::V5_10 => "bullseye-security",
            Self::V6_1 => "bookworm",
            // The first release of that suite cannot drop super-frames with a routing header, later ones do.
            Self::V6_12 => "trixie-security",
        }
    }

    /// A processor that QEMU emulates well enough for it. 6.12's allocator uses cmpxchg16b where there is one, and
    /// dies of its emulation now and then.
    pub fn processor(self) -> &'static str {
        match self {
            Self::V5_10 | Self::V6_1 => "Nehalem-v1",
            Self::V6_12 => "Haswell-v4,-cx16",
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
