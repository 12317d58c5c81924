//! The targets. Each takes bytes as an enemy would send them, and panics where a promise is broken. `None`: the bytes were
//! nothing that the target could use, and are not worth keeping.

mod documents;
mod node;
mod wire;

/// A function that takes one input.
pub(crate) type Target = fn(&[u8]) -> Option<()>;

/// All of them, by name. `cargo xtask fuzz` has the same list.
pub(crate) const ALL: [(&str, Target); 9] = [
    ("packet", wire::packet),
    ("lldp", wire::lldp),
    ("cdp", wire::cdp),
    ("kernel-log", node::kernel_log),
    ("netlink", node::netlink),
    ("proc", node::proc_file),
    ("recording", documents::recording),
    ("report", documents::report),
    ("diagnosis", documents::diagnosis),
];
