//! The one table of the places in the kernel where packets end.
//!
//! A site is one piece of the kernel's code under all names that it has: kernels rename functions, and compilers inline
//! one function into another. Every name of a function stands here and nowhere else, so that detectors speak of sites.
//! The table is in files by layer. What a site's packets died of is said by its reason, see
//! [`Reason`](super::Reason).

mod all;
mod bridge;
mod device;
mod ends;
mod fragments;
mod ip;
mod layer;
mod netfilter;
mod raises;
mod socket;
mod tcp;
mod udp;

use std::fmt;

use self::ends::Kernels;
use super::Reason;

pub use self::{
    bridge::*,
    device::*,
    ends::Ends,
    fragments::*,
    ip::*,
    layer::Layer,
    netfilter::*,
    raises::{Raises, Reasons},
    socket::*,
    tcp::*,
    udp::*,
};

/// A place in the kernel where packets end.
#[derive(Debug)]
pub struct Site {
    functions: &'static [&'static str],
    layer: Layer,
    raises: &'static [(Reasons, Raises)],
    ends: Option<(Kernels, Ends)>,
}

/// Declares the sites of a layer, and a list of them by which they are found.
macro_rules! sites {
    ($($(#[$doc:meta])+ $name:ident = $site:expr;)+) => {
        $(
            $(#[$doc])+
            pub static $name: Site = $site;
        )+

        pub(super) static SITES: &[&Site] = &[$(&$name),+];
    };
}
use sites;

impl Site {
    const fn new(layer: Layer, functions: &'static [&'static str]) -> Self {
        Self {
            functions,
            layer,
            raises: &[],
            ends: None,
        }
    }

    /// Packets that end here for these reasons raise these counters.
    const fn raising(mut self, raises: &'static [(Reasons, Raises)]) -> Self {
        self.raises = raises;
        self
    }

    /// Packets for which the kernel names no reason are these.
    const fn ending(self, ends: Ends) -> Self {
        self.ending_on(Kernels::All, ends)
    }

    const fn ending_on(mut self, kernels: Kernels, ends: Ends) -> Self {
        self.ends = Some((kernels, ends));
        self
    }

    /// Every site.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        all::SITES.iter().flat_map(|sites| sites.iter().copied())
    }

    /// The site that has this function's name.
    pub(super) fn of(function: &str) -> Option<&'static Self> {
        Self::all().find(|site| site.has(function))
    }

    pub(super) fn has(&self, function: &str) -> bool {
        self.functions.contains(&function)
    }

    /// The names of its functions: the one to show, then those that it has in other kernels or when it is inlined.
    pub fn functions(&self) -> &'static [&'static str] {
        self.functions
    }

    /// The part of the stack that it is in.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// The counters that its packets raise, and for which reasons they do, as far as they are known.
    pub fn raises(&self) -> &'static [(Reasons, Raises)] {
        self.raises
    }

    /// The packets that end here for this reason; `None` where the kernel names it, or where the site does not tell.
    pub fn ends(&self, reason: &Reason) -> Option<Ends> {
        let (kernels, ends) = self.ends?;
        let is_told = match kernels {
            Kernels::All => reason.is_unnamed(),
            Kernels::WithReasons => reason.is_unspecified(),
            Kernels::WithoutReasons => reason.is_absent(),
        };
        is_told.then_some(ends)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.functions.first().copied().unwrap_or_default())
    }
}
