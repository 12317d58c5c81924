//! The causes of the list, by the words of a report.

use netdiag_crds::report::Finding;
use netdiag_diagnosis::causes::{self, Cause};

/// The listed cause of a finding; `None` for the kernel's own names, and for causes of a newer agent.
pub(super) fn cause(finding: &Finding) -> Option<&'static Cause> {
    let check = causes::check(&finding.check)?;
    let mut causes = check.causes.iter();
    causes.find(|cause| cause.name == finding.cause).copied()
}
