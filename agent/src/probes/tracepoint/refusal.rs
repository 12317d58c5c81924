//! What the kernel says when it refuses a program, in words for a report.

use std::{error, io};

use super::Error;
use crate::probes::capabilities;

/// Which capability is missing, or the last thing the verifier said.
pub(super) fn refusal(error: &(dyn error::Error + 'static)) -> Error {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.raw_os_error() == Some(libc::EPERM))
        {
            let missing = capabilities::missing_for_tracing();
            if !missing.is_empty() {
                return Error::NotPermitted { missing };
            }
        }
        causes.push(in_short(&cause.to_string()));
        next = cause.source();
    }
    causes.dedup();
    Error::Refused {
        reason: causes.join(": "),
    }
}

/// A verifier log ends with what it objected to and a line of statistics; the rest is of no use in a report.
fn in_short(message: &str) -> String {
    const LONGEST: usize = 300;
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
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_log_is_cut_to_its_ends() {
        let log = "the BPF_PROG_LOAD syscall failed. Verifier output: 0: R1=ctx()\n1: (79) r1 = *(u64 *)(r1 +0)\n\
                   invalid access to memory, mem_size=4\nprocessed 40 insns (limit 1000000)\n";
        let short = in_short(log);
        assert!(short.ends_with(".. invalid access to memory, mem_size=4"));
        assert!(short.starts_with("the BPF_PROG_LOAD"));
        assert!(in_short(&"x".repeat(10_000)).len() <= 300);
    }

    #[test]
    fn an_error_other_than_permission_keeps_its_causes() {
        let error = io::Error::from_raw_os_error(libc::ENOSPC);
        let Error::Refused { reason } = refusal(&error) else {
            panic!("not a refusal");
        };
        assert!(reason.contains("No space"));
    }
}
