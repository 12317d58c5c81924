//! An assignment's settings in the detectors' terms.

use netdiag_crds::report::{Assignment, Unchecked};
use netdiag_crds::severity::Severity as Least;
use netdiag_diagnosis::{Settings, SettingsError, causes, finding::Severity};

use super::windows::work::Wanted;

/// The settings of an assignment. Checks that this agent does not know are left to [`unknown_checks`].
///
/// # Errors
/// When an interface glob is malformed, or none of the checks is known.
pub(crate) fn of(assignment: &Assignment) -> Result<Settings, SettingsError> {
    let mut checks: Vec<String> = assignment
        .checks
        .iter()
        .filter(|check| causes::check(check).is_some())
        .cloned()
        .collect();
    if checks.is_empty() {
        // An empty list means all checks, so a list of only unknown names must stay and be refused.
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

/// The settings and the unknown checks of an assignment.
///
/// # Errors
/// As [`of`].
pub(super) fn wanted(assignment: &Assignment) -> Result<Wanted, SettingsError> {
    Ok(Wanted {
        settings: of(assignment)?,
        unchecked: unknown_checks(assignment).collect(),
    })
}

/// Checks that a newer controller asks for and this agent does not know.
fn unknown_checks(assignment: &Assignment) -> impl Iterator<Item = Unchecked> {
    assignment
        .checks
        .iter()
        .filter(|check| causes::check(check).is_none())
        .map(|check| Unchecked {
            check: check.clone(),
            partly: false,
            too_rare: false,
            reason: format!(
                "this agent, version {}, does not know the check; update the agents",
                env!("CARGO_PKG_VERSION")
            ),
        })
}

fn severity(wanted: Least) -> Severity {
    match wanted {
        Least::Info => Severity::Info,
        Least::Warning => Severity::Warning,
        Least::Critical => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use netdiag_crds::{interfaces::Interfaces, report::Mode};

    use netdiag_diagnosis::causes::{LINK_MTU, OTHER_DROP, PROMISCUITY};

    use super::*;

    fn assignment(checks: &[&str]) -> Assignment {
        Assignment {
            name: "a".to_owned(),
            uid: "u".to_owned(),
            run_generation: 1,
            assigned_time: Time::from(Timestamp::UNIX_EPOCH),
            assigned_after_seconds: 0,
            checks: checks.iter().map(|check| (*check).to_owned()).collect(),
            interfaces: Some(Interfaces {
                include: vec!["eth*".to_owned()],
                exclude: vec!["eth9".to_owned()],
            }),
            pods: false,
            min_severity: Least::Warning,
            mode: Mode::Once,
            window_seconds: 35,
            spread_seconds: 0,
            suspend: false,
        }
    }

    #[test]
    fn what_was_resolved_reaches_the_detectors() {
        let settings = of(&assignment(&["Promiscuity"])).unwrap();
        assert!(settings.wants_check(&PROMISCUITY) && !settings.wants_check(&LINK_MTU));
        assert!(settings.wants_interface("eth0") && !settings.wants_interface("eth9"));
        assert_eq!(settings.min_severity, Severity::Warning);
        assert!(!settings.pods);
    }

    #[test]
    fn a_newer_check_is_said_to_be_unknown_and_the_others_are_made() {
        let assignment = assignment(&["Promiscuity", "QuantumDrop"]);
        let settings = of(&assignment).unwrap();
        assert!(settings.wants_check(&PROMISCUITY) && !settings.wants_check(&OTHER_DROP));
        let unknown: Vec<String> = unknown_checks(&assignment)
            .map(|unchecked| unchecked.check)
            .collect();
        assert_eq!(unknown, ["QuantumDrop"]);
    }

    #[test]
    fn unknown_checks_alone_do_not_mean_all_checks() {
        assert!(of(&assignment(&["QuantumDrop"])).is_err());
    }
}
