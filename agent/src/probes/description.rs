//! A probe as its own files describe it: what the eBPF object holds of it, and what it needs from the kernel.

use std::any::Any;

use netdiag_abi::Plain;

use super::{
    btf,
    facts::{KernelFacts, Support},
    types::Types,
};

/// A variant of a program, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// Typed tracepoint, plain loads: some ten nanoseconds a packet.
    TypedDirect,
    /// Typed tracepoint, reads by helper: some hundred nanoseconds a packet.
    TypedProbed,
    /// Raw tracepoint, reads by helper.
    Raw,
}

impl Backend {
    /// All variants, the best first.
    pub(crate) const ALL: [Self; 3] = [Self::TypedDirect, Self::TypedProbed, Self::Raw];

    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TypedDirect => "tp_btf",
            Self::TypedProbed => "tp_btf+probe_read",
            Self::Raw => "raw_tracepoint",
        }
    }
}

/// A probe's work at one tracepoint: the names of the tracepoint and of a program for each variant.
#[derive(Debug)]
pub(crate) struct Hook {
    /// The tracepoint.
    pub tracepoint: &'static str,
    /// For [`Backend::TypedDirect`].
    pub direct: &'static str,
    /// For [`Backend::TypedProbed`].
    pub probed: &'static str,
    /// For [`Backend::Raw`].
    pub raw: &'static str,
}

impl Hook {
    /// The program of this variant.
    pub(crate) fn program(&self, backend: Backend) -> &'static str {
        match backend {
            Backend::TypedDirect => self.direct,
            Backend::TypedProbed => self.probed,
            Backend::Raw => self.raw,
        }
    }
}

/// Offsets of fields, of the type that a probe's programs read. The loader of the probe knows the type.
pub(super) type AnyLayout = Box<dyn Any + Send + Sync>;

/// A probe as the object holds it, and its demands on the kernel.
#[derive(Debug)]
pub(crate) struct Description {
    /// Its name in reports.
    pub name: &'static str,
    /// The beginning of the names of its maps.
    pub maps: &'static str,
    /// Those of its maps that take more than some kilobytes.
    pub large_maps: &'static [&'static str],
    /// The global that holds the offsets of the fields that it reads.
    pub layout: &'static str,
    /// The hooks that it is attached to; nowhere when it is an iterator.
    pub hooks: &'static [Hook],
    /// Its support on a kernel with types and these facts.
    pub supported: fn(&KernelFacts) -> Support,
    /// Looks up every offset.
    pub resolve: fn(&dyn Types, &KernelFacts) -> Result<AnyLayout, btf::Error>,
}

impl Description {
    /// Its support on a kernel with these facts: none without types, which tell where structures have their fields.
    pub(crate) fn support(&self, facts: &KernelFacts) -> Support {
        if facts.has_types {
            (self.supported)(facts)
        } else {
            Support::No(
                "the kernel carries no type information (CONFIG_DEBUG_INFO_BTF), so the layout of its structures is unknown"
                    .to_owned(),
            )
        }
    }
}

/// A probe's layout as one of any probe.
pub(super) fn any_layout<L: Plain + Send + Sync>(
    layout: Result<L, btf::Error>,
) -> Result<AnyLayout, btf::Error> {
    layout.map(|layout| Box::new(layout) as AnyLayout)
}
