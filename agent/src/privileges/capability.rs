//! The five capabilities of the agent, and what the kernel gives for them.

/// A capability that the chart gives to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// To load programs and make maps.
    Bpf,
    /// To let them read kernel memory.
    Perfmon,
    /// To list the links of other network namespaces.
    NetAdmin,
    /// To read the files of other programs.
    SysPtrace,
    /// To read the kernel's log and the addresses of its functions.
    Syslog,
}

impl Capability {
    /// All of them, in the chart's order.
    pub(crate) const ALL: [Self; 5] = [
        Self::Bpf,
        Self::Perfmon,
        Self::NetAdmin,
        Self::SysPtrace,
        Self::Syslog,
    ];

    /// The kernel's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::Perfmon => "CAP_PERFMON",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::Syslog => "CAP_SYSLOG",
        }
    }

    /// The purpose of the capability, in the words of the chart and docs/security.md.
    #[cfg(test)]
    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Self::Bpf => "loads the probes and makes their maps",
            Self::Perfmon => "lets the probes read kernel memory: packets, devices, sockets",
            Self::NetAdmin => "gives other network namespaces an id, and lists their links",
            Self::SysPtrace => "reads `ns`, `net` and `fdinfo` below /proc/PID of other programs",
            Self::Syslog => "reads the kernel's log, and the addresses of its functions",
        }
    }

    /// include/uapi/linux/capability.h.
    fn number(self) -> u32 {
        match self {
            Self::Bpf => 39,
            Self::Perfmon => 38,
            Self::NetAdmin => 12,
            Self::SysPtrace => 19,
            Self::Syslog => 34,
        }
    }

    /// `bpf_capable` and `perfmon_capable` (include/linux/capability.h) take CAP_SYS_ADMIN in their place.
    fn has_stand_in(self) -> bool {
        matches!(self, Self::Bpf | Self::Perfmon)
    }
}

/// Those that are missing from an effective set.
pub(super) fn missing_from(effective: u64) -> Vec<Capability> {
    const SYS_ADMIN: u32 = 21;
    let has = |number: u32| effective & (1 << number) != 0;
    let is_missing = |one: &Capability| {
        let stands_in = one.has_stand_in() && has(SYS_ADMIN);
        !has(one.number()) && !stands_in
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
            assert_eq!(missing_from(FIVE & !(1 << one.number())), [one]);
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
