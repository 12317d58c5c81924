//! Why the kernel refuses something: what restricts this process. Reading is apart from concluding, which is pure.

use std::fs;

use netdiag_diagnosis::evidence::Missing;

use super::{Access, Capability, capability::missing_from, confinement::Confinement};

/// The restrictions of this process, as far as the kernel shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restrictions {
    /// Capabilities of the agent that it lacks.
    pub missing: Vec<Capability>,
    /// The rule of a security module that it is under.
    pub confinement: Option<Confinement>,
    /// Lockdown is in its mode `confidentiality`.
    pub is_locked_down: bool,
    /// A seccomp filter is in force.
    pub has_seccomp: bool,
    /// `kernel.kptr_restrict`.
    pub kptr_restrict: Option<u32>,
    /// `kernel.yama.ptrace_scope`.
    pub ptrace_scope: Option<u32>,
    /// `kernel.dmesg_restrict`.
    pub dmesg_restrict: Option<u32>,
}

impl Restrictions {
    /// Reads them. What cannot be read restricts nothing: containers commonly see no `/sys/kernel/security`.
    pub(crate) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |path: &str| text(path).trim().parse().ok();
        let status = text("/proc/self/status");
        // Only AppArmor has a folder of its own (5.8 on); `current` is of the module that is asked first.
        let context = fs::read_to_string("/proc/self/attr/apparmor/current")
            .unwrap_or_else(|_| text("/proc/self/attr/current"));
        // Of SELinux; 0 is permissive: what it would forbid it only logs.
        let is_permissive = number("/sys/fs/selinux/enforce") == Some(0);
        let is_enforced =
            |rule: &Confinement| !(is_permissive && matches!(rule, Confinement::Selinux { .. }));
        Self {
            missing: effective_set(&status).map(missing_from).unwrap_or_default(),
            confinement: Confinement::parse(&context).filter(is_enforced),
            is_locked_down: text("/sys/kernel/security/lockdown").contains("[confidentiality]"),
            has_seccomp: field(&status, "Seccomp:") == Some("2"),
            kptr_restrict: number("/proc/sys/kernel/kptr_restrict"),
            ptrace_scope: number("/proc/sys/kernel/yama/ptrace_scope"),
            dmesg_restrict: number("/proc/sys/kernel/dmesg_restrict"),
        }
    }

    /// Why this was refused: what is so and, in brackets, what would help. Ask only for what was refused: much is
    /// allowed all the same.
    pub(crate) fn why(&self, need: Access) -> String {
        self.known(need).unwrap_or_else(|| self.unknown(need))
    }

    /// Says that this was refused, and why.
    pub(crate) fn refusal(&self, need: Access) -> String {
        format!("{}: {}", need.refused(), self.why(need))
    }

    /// As [`Restrictions::refusal`], as a part of the evidence that is missing.
    pub(crate) fn refused(&self, need: Access) -> Missing {
        Missing::not_permitted(self.refusal(need), self.lacking(need))
    }

    /// As [`Restrictions::why`]; `None` when no restriction that can be seen from here explains it.
    pub(crate) fn known(&self, need: Access) -> Option<String> {
        self.missing_for(need)
            .or_else(|| self.by_setting(need))
            .or_else(|| self.by_security_module(need))
    }

    /// The capabilities that this process lacks for it, where they are why it was refused.
    pub(crate) fn lacking(&self, need: Access) -> Vec<Capability> {
        // The log may be open to everybody, and is closed for another reason then.
        if need == Access::KernelLog && self.dmesg_restrict == Some(0) && !self.has_seccomp {
            return Vec::new();
        }
        let is_missing = |one: &Capability| self.missing.contains(one);
        let capabilities = need.capabilities().iter().copied();
        capabilities.filter(is_missing).collect()
    }

    fn missing_for(&self, need: Access) -> Option<String> {
        let names: Vec<_> = self
            .lacking(need)
            .into_iter()
            .map(Capability::name)
            .collect();
        let are = if names.len() > 1 { "are" } else { "is" };
        (!names.is_empty()).then(|| format!("{} {are} missing", names.join(" and ")))
    }

    fn by_setting(&self, need: Access) -> Option<String> {
        match need {
            // `kallsyms_show_value` (kernel/ksyms_common.c): 2 hides them from everybody.
            Access::Symbols if self.kptr_restrict.is_some_and(|value| value > 1) => {
                Some("kernel.kptr_restrict is 2 (1 shows them to the agent)".to_owned())
            }
            // `yama_ptrace_access_check` (security/yama/yama_lsm.c): 2 leaves it to the capability, 3 forbids it to
            // everybody. It knows attaching only: reading /proc stays allowed.
            Access::Sockets if self.ptrace_scope.is_some_and(|value| value > 2) => Some(
                "kernel.yama.ptrace_scope is 3, which lasts until the node restarts (2 allows it to the agent)"
                    .to_owned(),
            ),
            // LOCKDOWN_BPF_READ_KERNEL (include/linux/security.h).
            Access::Programs if self.is_locked_down => Some(
                "kernel lockdown is in its mode confidentiality, where eBPF may not read kernel memory (its mode \
                 integrity allows it)"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn by_security_module(&self, need: Access) -> Option<String> {
        match self.confinement.as_ref()? {
            // It has no rules for bpf(2).
            Confinement::AppArmor { .. } if need == Access::Programs => None,
            Confinement::AppArmor { profile } => Some(format!(
                "AppArmor profile {profile} forbids it (set agent.appArmorProfile.type to Unconfined)"
            )),
            Confinement::Selinux { kind } => Some(format!(
                "SELinux type {kind} forbids it (set agent.seLinuxOptions.type to spc_t)"
            )),
        }
    }

    fn unknown(&self, need: Access) -> String {
        match need {
            Access::Programs if self.has_seccomp => {
                "the agent has its capabilities (its seccomp profile must allow bpf(2))"
            }
            Access::KernelLog if self.has_seccomp => {
                "the agent has its capabilities (its seccomp profile must allow syslog(2))"
            }
            _ => "the kernel does not say why",
        }
        .to_owned()
    }
}

/// The effective set of capabilities.
fn effective_set(status: &str) -> Option<u64> {
    u64::from_str_radix(field(status, "CapEff:")?, 16).ok()
}

/// A field of /proc/PID/status.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app_armor() -> Restrictions {
        Restrictions {
            confinement: Confinement::parse("docker-default (enforce)\n"),
            ..Restrictions::default()
        }
    }

    fn selinux() -> Restrictions {
        Restrictions {
            confinement: Confinement::parse("system_u:system_r:container_t:s0:c1,c2\0"),
            ..Restrictions::default()
        }
    }

    #[test]
    fn a_missing_capability_is_named_first() {
        for (capability, need, text) in [
            (Capability::Bpf, Access::Programs, "CAP_BPF is missing"),
            (
                Capability::Perfmon,
                Access::Programs,
                "CAP_PERFMON is missing",
            ),
            (
                Capability::NetAdmin,
                Access::Links,
                "CAP_NET_ADMIN is missing",
            ),
            (
                Capability::SysPtrace,
                Access::Processes,
                "CAP_SYS_PTRACE is missing",
            ),
            (Capability::Syslog, Access::Symbols, "CAP_SYSLOG is missing"),
            (
                Capability::Syslog,
                Access::KernelLog,
                "CAP_SYSLOG is missing",
            ),
        ] {
            let restrictions = Restrictions {
                missing: vec![capability],
                ..app_armor()
            };
            assert_eq!(restrictions.why(need), text);
        }
        let none = Restrictions {
            missing: Capability::ALL.to_vec(),
            ..Restrictions::default()
        };
        let both = "CAP_BPF and CAP_PERFMON are missing";
        assert_eq!(none.why(Access::Programs), both);
    }

    #[test]
    fn addresses_that_are_hidden_from_everybody_are_no_capability_s_fault() {
        let restrictions = Restrictions {
            kptr_restrict: Some(2),
            ..Restrictions::default()
        };
        let why = restrictions.why(Access::Symbols);
        assert_eq!(why, "kernel.kptr_restrict is 2 (1 shows them to the agent)");
        assert!(!restrictions.why(Access::KernelLog).contains("kptr"));
    }

    #[test]
    fn yama_is_named_for_what_it_forbids() {
        let mut restrictions = Restrictions {
            ptrace_scope: Some(3),
            ..Restrictions::default()
        };
        assert!(
            restrictions
                .why(Access::Sockets)
                .starts_with("kernel.yama.ptrace_scope is 3")
        );
        assert!(!restrictions.why(Access::Processes).contains("yama"));
        restrictions.ptrace_scope = Some(2);
        assert_eq!(restrictions.known(Access::Sockets), None);
        let why = app_armor().why(Access::Sockets);
        assert!(
            why.starts_with("AppArmor profile docker-default forbids it"),
            "{why}"
        );
    }

    #[test]
    fn lockdown_is_named_where_it_forbids_and_nowhere_else() {
        let restrictions = Restrictions {
            is_locked_down: true,
            ..app_armor()
        };
        assert!(restrictions.why(Access::Programs).contains("lockdown"));
        assert!(!restrictions.why(Access::Symbols).contains("lockdown"));
    }

    #[test]
    fn the_default_profile_of_app_armor_is_named_for_files_and_not_for_programs() {
        let why = app_armor().why(Access::Processes);
        let expected = "AppArmor profile docker-default forbids it (set agent.appArmorProfile.type to Unconfined)";
        assert_eq!(why, expected);
        assert!(!app_armor().why(Access::Programs).contains("AppArmor"));
    }

    #[test]
    fn selinux_is_named_with_the_type_that_allows() {
        for need in [Access::Processes, Access::Programs, Access::KernelLog] {
            let why = selinux().why(need);
            assert!(why.contains("container_t forbids"), "{why}");
            assert!(why.contains("agent.seLinuxOptions.type to spc_t"), "{why}");
        }
    }

    #[test]
    fn a_log_that_is_open_to_all_is_not_closed_by_a_capability() {
        let mut restrictions = Restrictions {
            missing: vec![Capability::Syslog],
            dmesg_restrict: Some(0),
            ..Restrictions::default()
        };
        assert!(!restrictions.why(Access::KernelLog).contains("CAP_SYSLOG"));
        // Container runtimes allow syslog(2) only with the capability.
        restrictions.has_seccomp = true;
        assert!(restrictions.why(Access::KernelLog).contains("CAP_SYSLOG"));
    }

    #[test]
    fn fields_of_a_status_are_read() {
        let status =
            "Name:\tagent\nCapPrm:\t000001ffffffffff\nCapEff:\t0000008000001000\nSeccomp:\t2\n";
        assert_eq!(effective_set(status), Some(0x80_0000_1000));
        assert_eq!(field(status, "Seccomp:"), Some("2"));
        assert_eq!(effective_set("CapEff:\tnot hex\n"), None);
        assert_eq!(effective_set(""), None);
    }
}
