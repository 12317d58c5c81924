//! The kernels, and how each is emulated.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

/// A stock kernel of Debian: the newest package of a series, such as `6.12`, or of its real-time flavour, such as
/// `6.12-rt`; or of whatever series Debian packages last, `newest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The first two numbers of its release; none for the newest.
    series: Option<(u16, u16)>,
    /// It is built with PREEMPT_RT.
    real_time: bool,
}

impl Kernel {
    /// Without drop reasons, with locked memory accounted.
    pub const V5_10: Self = Self::of(5, 10);
    /// With drop reasons.
    pub const V6_1: Self = Self::of(6, 1);
    /// With the receiving socket among the tracepoint's arguments.
    pub const V6_12: Self = Self::of(6, 12);
    /// Queueing disciplines have drop reasons of their own (7.2 and later).
    pub const NEWEST: Self = Self {
        series: None,
        real_time: false,
    };

    /// Those of Debian's stable releases, which show what differs most.
    pub const STABLE: [Self; 3] = [Self::V5_10, Self::V6_1, Self::V6_12];
    /// Those that CI boots.
    pub const CI: [Self; 4] = [Self::V5_10, Self::V6_1, Self::V6_12, Self::NEWEST];
    /// Every one that somebody may want to see; any other is booted by its name as well.
    pub const ALL: [Self; 7] = [
        Self::V5_10,
        Self::V6_1,
        Self::V6_12,
        Self::V6_12.with_real_time(),
        Self::of(6, 18),
        Self::NEWEST,
        Self::NEWEST.with_real_time(),
    ];

    const fn of(major: u16, minor: u16) -> Self {
        Self {
            series: Some((major, minor)),
            real_time: false,
        }
    }

    const fn with_real_time(mut self) -> Self {
        self.real_time = true;
        self
    }

    /// The name in which its packages' releases end.
    pub fn flavour(self) -> &'static str {
        match self.real_time {
            true => "rt-amd64",
            false => "cloud-amd64",
        }
    }

    /// The beginning of its packages' releases.
    pub fn release_prefix(self) -> String {
        self.series
            .map_or_else(String::new, |(major, minor)| format!("{major}.{minor}."))
    }

    /// The Debian suite that has it.
    pub fn suite(self) -> &'static str {
        match self.series {
            Some((5, 10)) => "bullseye-security",
            Some((6, 1)) => "bookworm",
            // The first release of that suite cannot drop super-frames with a routing header, later ones do.
            Some((6, 12)) => "trixie-security",
            // Keeps older series beside the newest for some months.
            _ => "trixie-backports",
        }
    }

    /// A processor that QEMU emulates well enough for it. The allocator of 6.12 and later uses cmpxchg16b where there
    /// is one, and dies of its emulation now and then.
    pub fn processor(self) -> &'static str {
        match self.series {
            Some((..=5, _) | (6, ..=1)) => "Nehalem-v1",
            _ => "Haswell-v4,-cx16",
        }
    }
}

impl FromStr for Kernel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let (series, real_time) = match name.strip_suffix("-rt") {
            Some(series) => (series, true),
            None => (name, false),
        };
        if series == "newest" {
            return Ok(Self {
                series: None,
                real_time,
            });
        }
        let Some((major, minor)) = series.split_once('.') else {
            bail!("{name} is no kernel: such are 6.18, 6.12-rt, newest and newest-rt");
        };
        let number = |text: &str| {
            let number = text.parse();
            number.with_context(|| format!("{name} is no kernel: {text:?} is no number"))
        };
        Ok(Self {
            series: Some((number(major)?, number(minor)?)),
            real_time,
        })
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = match self.series {
            Some((major, minor)) => format!("{major}.{minor}"),
            None => "newest".to_owned(),
        };
        if self.real_time {
            name.push_str("-rt");
        }
        f.pad(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_its_name() {
        for name in ["5.10", "6.12-rt", "7.3", "newest", "newest-rt"] {
            assert_eq!(Kernel::from_str(name).unwrap().to_string(), name);
        }
        for wrong in ["", "6", "6.x", "old", "6.12-lts"] {
            assert!(Kernel::from_str(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_series_is_not_the_beginning_of_another() {
        assert_eq!(Kernel::V6_1.release_prefix(), "6.1.");
        assert_eq!(Kernel::NEWEST.release_prefix(), "");
    }
}
