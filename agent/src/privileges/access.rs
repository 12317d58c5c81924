//! Each access that the agent asks of the kernel and may be refused.

use super::Capability;

/// Something that takes privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To load eBPF programs that read kernel memory.
    Programs,
    /// To list the links of other network namespaces.
    Links,
    /// To read the files of other programs below /proc.
    Processes,
    /// To duplicate a socket of another program, through which its namespace answers.
    Sockets,
    /// To see addresses in /proc/kallsyms.
    Symbols,
    /// To read the kernel's log.
    KernelLog,
}

impl Access {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] = [
        Self::Programs,
        Self::Links,
        Self::Processes,
        Self::Sockets,
        Self::Symbols,
        Self::KernelLog,
    ];

    /// The capabilities that it takes.
    pub(crate) fn capabilities(self) -> &'static [Capability] {
        match self {
            Self::Programs => &[Capability::Bpf, Capability::Perfmon],
            Self::Links => &[Capability::NetAdmin],
            Self::Processes | Self::Sockets => &[Capability::SysPtrace],
            Self::Symbols | Self::KernelLog => &[Capability::Syslog],
        }
    }

    /// The sentence for an access that is refused.
    pub(crate) fn refused(self) -> &'static str {
        match self {
            Self::Programs => "eBPF programs cannot be loaded",
            Self::Links => "the links of other network namespaces are closed",
            Self::Processes => "the files of other programs below /proc are closed",
            Self::Sockets => "sockets of other programs are closed",
            Self::Symbols => "addresses in /proc/kallsyms are hidden",
            Self::KernelLog => "the kernel's log is closed",
        }
    }

    /// The loss to a diagnosis without this access.
    pub(crate) fn lost(self) -> &'static str {
        match self {
            Self::Programs => {
                "no drop is seen: counters tell how many packets were lost, but not which and why"
            }
            Self::Links => {
                "only the node's own links are seen: no counter and no drop of a pod's link, and nothing that takes \
                 both ends of a link to see; the rules that refuse packets are not read"
            }
            Self::Processes => {
                "pods with a network of their own are not named, and of their namespaces only links are seen, where \
                 /run/netns has a name for them; programs that hold a TAP device are not found"
            }
            Self::Sockets => "drivers and offloads of pods' links are not known",
            Self::Symbols => {
                "drops are known only by the kernel's reason, not by the function that dropped, and booked to no \
                 counter"
            }
            Self::KernelLog => "what drivers print about checksums is not read",
        }
    }
}

/// The loss to a diagnosis without a capability.
#[cfg(test)]
pub(super) fn lost_without(capability: Capability) -> String {
    let takes_it = |need: &Access| need.capabilities().contains(&capability);
    let lost: Vec<_> = Access::ALL
        .into_iter()
        .filter(takes_it)
        .map(Access::lost)
        .collect();
    lost.join("; ")
}
