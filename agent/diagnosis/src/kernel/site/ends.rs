//! The kind of the packets that end at a site.

/// Packets that end at a site without a reason that the kernel names; a named reason speaks for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Somebody wanted them.
    Wanted,
    /// Wanted ones and copies that nobody misses, and nothing in the packet tells which.
    Either,
    /// A rule, a route or a missing receiver refused them.
    Refused,
    /// Nobody misses them: the stack has read them, or they are copies or old data.
    Unmissed,
}

/// The kernels on which a packet without a named reason ends so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernels {
    /// All of them.
    All,
    /// Those that have reasons: there the kernel names one for whatever it refuses, and the rest is its ordinary end.
    WithReasons,
    /// Those before 5.17.
    WithoutReasons,
}
