//! The one table of the places in the kernel where packets end.
//!
//! A site is one piece of the kernel's code under all names that it has: kernels rename functions, and compilers inline
//! one function into another. Every name of a function stands here and nowhere else, so that detectors speak of sites.
//! The table is in files by layer. What a site's packets died of is said by its reason, see
//! [`Reason`](super::Reason).

mod bridge;
mod device;
mod fragments;
mod ip;
mod layer;
mod netfilter;
mod raises;
mod socket;
mod tcp;
mod udp;

use std::fmt;

pub use self::{
    bridge::*,
    device::*,
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
    raises: Option<(Reasons, Raises)>,
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
            raises: None,
        }
    }

    /// Packets that end here for these reasons raise these counters.
    const fn raising(mut self, reasons: Reasons, counters: Raises) -> Self {
        self.raises = Some((reasons, counters));
        self
    }

    /// Every site.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        layer::SITES.iter().flat_map(|sites| sites.iter().copied())
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

    /// The counters that its packets raise, and for which reasons they do; `None` for none that the ledger balances.
    pub fn raises(&self) -> Option<&(Reasons, Raises)> {
        self.raises.as_ref()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.functions.first().copied().unwrap_or_default())
    }
}
