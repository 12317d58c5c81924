//! The kernel's refusal of a program or a map, in words for a report.

use std::{error, io};

use netdiag_diagnosis::{evidence::Capability, text::cut};

use crate::privileges::{Access, Restrictions};

/// Longer reasons are cut.
const LONGEST: usize = 300;

/// Why the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KernelRefusal {
    /// This process may not load what the probes need, in whatever variant.
    NotPermitted {
        why: String,
        /// The capabilities that it lacks for them.
        lacking: Vec<Capability>,
    },
    /// Anything else: the errors, with the last thing the verifier said.
    Refused {
        reason: String,
        /// The capabilities that may be the reason.
        lacking: Vec<Capability>,
    },
}

/// Concludes from an error of a load, an attachment or a read.
pub(super) fn refusal(error: &(dyn error::Error + 'static)) -> KernelRefusal {
    conclude(error, &Restrictions::read())
}

fn conclude(error: &(dyn error::Error + 'static), restrictions: &Restrictions) -> KernelRefusal {
    let mut causes = Vec::new();
    let mut number = None;
    let mut lacks_helper = false;
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        lacks_helper |= is_about_reading(&text);
        causes.push(in_short(&text));
        let system = cause.downcast_ref::<io::Error>();
        number = number.or(system.and_then(io::Error::raw_os_error));
        next = cause.source();
    }
    causes.dedup();
    let reason = causes.join(": ");
    let is_locked_down = restrictions.is_locked_down || lacks_helper;
    let known = Restrictions {
        is_locked_down,
        ..restrictions.clone()
    }
    .known(Access::Programs);
    let lacking = restrictions.lacking(Access::Programs);
    match (number, known) {
        (Some(libc::EPERM), Some(why)) => KernelRefusal::NotPermitted { why, lacking },
        (_, Some(why)) if lacks_helper => KernelRefusal::NotPermitted { why, lacking },
        // Security modules answer so, and so does the verifier.
        (Some(libc::EACCES), Some(why)) => KernelRefusal::Refused {
            reason: format!("{reason}; {why}"),
            lacking,
        },
        (Some(libc::EPERM), None) => KernelRefusal::Refused {
            reason: format!("{reason}; {}", restrictions.why(Access::Programs)),
            lacking,
        },
        _ => KernelRefusal::Refused {
            reason,
            lacking: Vec::new(),
        },
    }
}

/// `bpf_tracing_func_proto` (kernel/trace/bpf_trace.c) hides the helper that reads kernel memory under lockdown; every
/// kernel that the probes work on has it otherwise.
fn is_about_reading(verifier_log: &str) -> bool {
    let refuses = |line: &str| line.contains("unknown func") || line.contains("cannot use helper");
    verifier_log
        .lines()
        .any(|line| line.contains("bpf_probe_read_kernel#") && refuses(line))
}

/// A verifier log ends with what it objected to and a line of statistics; the rest is of no use in a report.
fn in_short(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("processed "))
        .collect();
    let text = match lines.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, .., last] => format!("{first} .. {last}"),
    };
    cut(&text, LONGEST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a load, around what the kernel said.
    #[derive(Debug, thiserror::Error)]
    #[error("the BPF_PROG_LOAD syscall returned {source}. Verifier output: {log}")]
    struct LoadError {
        source: io::Error,
        log: &'static str,
    }

    fn load_error(number: i32, log: &'static str) -> LoadError {
        LoadError {
            source: io::Error::from_raw_os_error(number),
            log,
        }
    }

    #[test]
    fn a_verifier_log_is_cut_to_its_ends() {
        let log = "the BPF_PROG_LOAD syscall failed. Verifier output: 0: R1=ctx()\n1: (79) r1 = *(u64 *)(r1 +0)\n\
                   invalid access to memory, mem_size=4\nprocessed 40 insns (limit 1000000)\n";
        let short = in_short(log);
        assert!(short.ends_with(".. invalid access to memory, mem_size=4"));
        assert!(short.starts_with("the BPF_PROG_LOAD"));
        assert_eq!(in_short(&"x".repeat(10_000)).chars().count(), LONGEST);
    }

    #[test]
    fn a_missing_capability_is_all_that_there_is_to_say() {
        let restrictions = Restrictions {
            missing: vec![Capability::Perfmon],
            ..Restrictions::default()
        };
        let why = "CAP_PERFMON is missing".to_owned();
        let lacking = vec![Capability::Perfmon];
        let found = conclude(&load_error(libc::EPERM, ""), &restrictions);
        assert_eq!(found, KernelRefusal::NotPermitted { why, lacking });
    }

    #[test]
    fn an_error_other_than_permission_keeps_its_causes() {
        let restrictions = Restrictions {
            missing: vec![Capability::Perfmon],
            ..Restrictions::default()
        };
        let KernelRefusal::Refused { reason, lacking } =
            conclude(&load_error(libc::ENOSPC, ""), &restrictions)
        else {
            panic!("blamed on a capability");
        };
        assert!(
            reason.contains("No space") && !reason.contains("CAP_"),
            "{reason}"
        );
        assert_eq!(lacking, []);
    }

    #[test]
    fn without_a_known_reason_the_error_stays_beside_what_may_help() {
        let restrictions = Restrictions {
            has_seccomp: true,
            ..Restrictions::default()
        };
        let KernelRefusal::Refused { reason, .. } =
            conclude(&load_error(libc::EPERM, ""), &restrictions)
        else {
            panic!("a reason is known");
        };
        assert!(
            reason.contains("BPF_PROG_LOAD") && reason.contains("seccomp"),
            "{reason}"
        );
    }

    #[test]
    fn a_kernel_without_the_helper_to_read_its_memory_is_locked_down() {
        for log in [
            "0: R1=ctx()\n12: (85) call bpf_probe_read_kernel#113\nunknown func bpf_probe_read_kernel#113\n",
            "program of this type cannot use helper bpf_probe_read_kernel#113\nprocessed 12 insns\n",
        ] {
            let found = conclude(&load_error(libc::EINVAL, log), &Restrictions::default());
            let KernelRefusal::NotPermitted { why, .. } = found else {
                panic!("not told: {found:?}");
            };
            assert!(why.contains("lockdown"), "{why}");
        }
        let calls_it = "12: (85) call bpf_probe_read_kernel#113\nR2 invalid mem access\n";
        assert!(!is_about_reading(calls_it));
    }
}
