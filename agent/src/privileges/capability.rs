//! The five capabilities of the agent, and what the kernel gives for them.

pub(crate) use netdiag_diagnosis::evidence::Capability;

/// The purpose of a capability, in the words of the chart and docs/security.md.
#[cfg(test)]
pub(super) fn purpose(capability: Capability) -> &'static str {
    match capability {
        Capability::Bpf => "loads the probes and makes their maps",
        Capability::Perfmon => "lets the probes read kernel memory: packets, devices, sockets",
        Capability::NetAdmin => {
            "gives other network namespaces an id, lists their links, and reads the node's packet filter rules"
        }
        Capability::SysPtrace => "reads `ns`, `net` and `fdinfo` below /proc/PID of other programs",
        Capability::Syslog => "reads the kernel's log, and the addresses of its functions",
    }
}

/// include/uapi/linux/capability.h.
fn number(capability: Capability) -> u32 {
    match capability {
        Capability::Bpf => 39,
        Capability::Perfmon => 38,
        Capability::NetAdmin => 12,
        Capability::SysPtrace => 19,
        Capability::Syslog => 34,
    }
}

/// `bpf_capable` and `perfmon_capable` (include/linux/capability.h) take CAP_SYS_ADMIN in their place.
fn has_stand_in(capability: Capability) -> bool {
    matches!(capability, Capability::Bpf | Capability::Perfmon)
}

/// Those that are missing from an effective set.
pub(super) fn missing_from(effective: u64) -> Vec<Capability> {
    const SYS_ADMIN: u32 = 21;
    let has = |number: u32| effective & (1 << number) != 0;
    let is_missing = |one: &Capability| {
        let stands_in = has_stand_in(*one) && has(SYS_ADMIN);
        !has(number(*one)) && !stands_in
    };
    Capability::ALL.into_iter().filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_from_a_set_is_named() {
        // As `setpriv --bounding-set=-all,+bpf,+perfmon,+net_admin,+sys_ptrace,+syslog` leaves it.
        const FIVE: u64 = 0x00c4_0008_1000;
        assert_eq!(missing_from(FIVE), []);
        assert_eq!(missing_from(0), Capability::ALL);
        for one in Capability::ALL {
            assert_eq!(missing_from(FIVE & !(1 << number(one))), [one]);
        }
    }

    #[test]
    fn cap_sys_admin_stands_in_for_loading_and_reading_alone() {
        let rest = [
            Capability::NetAdmin,
            Capability::SysPtrace,
            Capability::Syslog,
        ];
        assert_eq!(missing_from(1 << 21), rest);
    }
}
