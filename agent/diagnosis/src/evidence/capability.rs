use serde::{Deserialize, Serialize};

/// A capability that the chart gives to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
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
    pub const ALL: [Self; 5] = [
        Self::Bpf,
        Self::Perfmon,
        Self::NetAdmin,
        Self::SysPtrace,
        Self::Syslog,
    ];

    /// The kernel's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::Perfmon => "CAP_PERFMON",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::Syslog => "CAP_SYSLOG",
        }
    }
}
