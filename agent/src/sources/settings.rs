//! The settings of the kernel and of the node's own namespace, from the agent's own /proc/sys.
//!
//! /proc/sys/net shows the namespace of its reader, below /proc/PID/root too, so that a pod's settings are never read
//! here.

use std::{fs::File, io::Read, str::FromStr};

use netdiag_diagnosis::evidence::{Ipv4Settings, Ipv6Settings, KernelSettings, NamespaceSettings};

/// The longest value: three numbers with tabs between them.
const LONGEST_VALUE: u64 = 128;

/// Reads the settings that hold for all namespaces.
pub(crate) fn of_kernel() -> KernelSettings {
    KernelSettings {
        conntrack_max: number("netfilter/nf_conntrack_max"),
        conntrack_buckets: number("netfilter/nf_conntrack_buckets"),
        rmem_default: number("core/rmem_default"),
        rmem_max: number("core/rmem_max"),
    }
}

/// Reads the settings of the agent's own namespace.
pub(super) fn of_own_namespace() -> NamespaceSettings {
    NamespaceSettings {
        conntrack_tcp_be_liberal: switch("netfilter/nf_conntrack_tcp_be_liberal"),
        somaxconn: number("core/somaxconn"),
        tcp_max_syn_backlog: number("ipv4/tcp_max_syn_backlog"),
        tcp_syncookies: number("ipv4/tcp_syncookies"),
        tcp_abort_on_overflow: switch("ipv4/tcp_abort_on_overflow"),
        ipv4_all: ipv4("all"),
        ipv4_default: ipv4("default"),
        ipv6_all: ipv6("all"),
        ipv6_default: ipv6("default"),
    }
}

fn ipv4(place: &str) -> Option<Ipv4Settings> {
    Some(Ipv4Settings {
        forwarding: switch(&format!("ipv4/conf/{place}/forwarding"))?,
        forwarding_before: None,
        rp_filter: number(&format!("ipv4/conf/{place}/rp_filter"))?,
    })
}

fn ipv6(place: &str) -> Option<Ipv6Settings> {
    Some(Ipv6Settings {
        forwarding: switch(&format!("ipv6/conf/{place}/forwarding"))?,
        accept_ra: number(&format!("ipv6/conf/{place}/accept_ra"))?,
    })
}

fn switch(name: &str) -> Option<bool> {
    number::<u8>(name).map(|value| value != 0)
}

fn number<T: FromStr>(name: &str) -> Option<T> {
    let mut text = String::new();
    let file = File::open(format!("/proc/sys/net/{name}")).ok()?;
    file.take(LONGEST_VALUE).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_and_a_missing_one_is_none() {
        assert!(number::<u64>("core/somaxconn").is_some());
        assert_eq!(number::<u64>("core/no_such_setting"), None);
        // Three numbers are not one.
        assert_eq!(number::<u64>("ipv4/tcp_rmem"), None);
    }
}
