//! Everything that a node tells about its network besides the packets it drops: links, counters, sockets, processes,
//! the kernel's log, and whose all that is.
//!
//! Nothing here enters a namespace or changes one. The capabilities NET_ADMIN (ids of namespaces, their links),
//! SYS_PTRACE (files of other processes) and SYSLOG (the kernel's log) suffice.

mod attributes;
mod link_attributes;
pub mod links;
pub mod namespaces;
mod processes;
mod route_netlink;
mod system_calls;
mod text;

#[cfg(test)]
mod live_tests;

use netdiag_diagnosis::evidence::Observed;

/// Complete, or partial for the reasons given.
fn observed<T>(value: T, missing: &[String]) -> Observed<T> {
    if missing.is_empty() {
        Observed::Complete { value }
    } else {
        Observed::Partial {
            value,
            missing: missing.join("; "),
        }
    }
}
