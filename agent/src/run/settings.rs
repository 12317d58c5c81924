//! An assignment's settings in the detectors' terms.

use netdiag_crds::report::{Assignment, Unchecked};
use netdiag_crds::severity::Severity as Wanted;
use netdiag_diagnosis::{Settings, SettingsError, detectors, finding::Severity};

/// The settings of an assignment. Checks that this agent does not know are left to [`unknown_checks`].
///
/// # Errors
/// When an interface glob is malformed, or none of the checks is known.
pub fn of(assignment: &Assignment) -> Result<Settings, SettingsError> {
    let mut checks: Vec<String> = assignment
        .checks
        .iter()
        .filter(|check| detectors::by_name(check).is_some())
        .cloned()
        .collect();
    if checks.is_empty() {
        // An empty list means all checks, so unknown names alone must stay and be refused.
        checks.clone_from(&assignment.checks);
    }
    let globs = assignment.interfaces.clone().unwrap_or_default();
    Settings::new(
        checks,
        &globs.include,
        &globs.exclude,
        assignment.pods,
        severity(assignment.min_severity),
    )
}

/// Checks that a newer controller asks for and this agent does not know.
pub fn unknown_checks(assignment: &Assignment) -> impl Iterator<Item = Unchecked> {
    assignment
        .checks
        .iter()
        .filter(|check| detectors::by_name(check).is_none())
        .map(|check| Unchecked {
            check: check.clone(),
            partly: false,
            reason: format!(
                "this agent, version {}, does not know the check; update the agents",
                env!("CARGO_PKG_VERSION")
            ),
        })
}

fn severity(wanted: Wanted) -> Severity {
    match wanted {
        Wanted::Info => Severity::Info,
        Wanted::Warning => Severity::Warning,
        Wanted::Critical => Severity::Critical,
    }
}
