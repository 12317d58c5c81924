//! What this process may do, to tell a person which capability a refused system call asked for.

use std::fs;

/// What loading a tracing program takes. Numbers: include/uapi/linux/capability.h.
const NEEDED: [(u32, &str); 2] = [(38, "CAP_PERFMON"), (39, "CAP_BPF")];

/// CAP_SYS_ADMIN stands in for both, and before 5.8 was the only way.
const SYS_ADMIN: u32 = 21;

/// Capabilities for tracing programs that this process lacks; empty also where the kernel's answer is unreadable.
pub fn missing_for_tracing() -> Vec<&'static str> {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| effective_set(&status))
        .map(missing_from)
        .unwrap_or_default()
}

/// The effective set in `/proc/<pid>/status`.
fn effective_set(status: &str) -> Option<u64> {
    let digits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

fn missing_from(effective: u64) -> Vec<&'static str> {
    let has = |capability: u32| effective & (1 << capability) != 0;
    if has(SYS_ADMIN) {
        return Vec::new();
    }
    NEEDED
        .iter()
        .filter(|(capability, _)| !has(*capability))
        .map(|(_, name)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing_from_the_effective_set() {
        let status = "Name:\tagent\nCapPrm:\t000001ffffffffff\nCapEff:\t0000008000001000\n";
        // CAP_BPF and CAP_NET_ADMIN alone.
        assert_eq!(
            missing_from(effective_set(status).unwrap()),
            ["CAP_PERFMON"]
        );
        assert_eq!(missing_from(0), ["CAP_PERFMON", "CAP_BPF"]);
        assert!(missing_from(0b11 << 38).is_empty());
    }

    #[test]
    fn cap_sys_admin_stands_in_for_both() {
        assert!(missing_from(1 << SYS_ADMIN).is_empty());
    }

    #[test]
    fn a_status_without_the_line_is_unreadable() {
        assert_eq!(effective_set("Name:\tagent\n"), None);
        assert_eq!(effective_set("CapEff:\tnot hex\n"), None);
    }
}
