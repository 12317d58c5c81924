//! The part of what nodes can find that a diagnosis asks for.

use std::collections::BTreeSet;

use netdiag_crds::{NodeNetDiagnosisSpec, checks::CHECKS, severity::Severity};

/// The question of a diagnosis, as far as the words of its answer depend on it.
pub struct Asked<'a> {
    /// The checks, by name.
    pub checks: BTreeSet<&'a str>,
    /// The least severity.
    pub least: Severity,
    /// Some interfaces of the node only.
    pub some_interfaces: bool,
    /// The namespaces of pods too.
    pub pods: bool,
}

impl<'a> From<&'a NodeNetDiagnosisSpec> for Asked<'a> {
    fn from(spec: &'a NodeNetDiagnosisSpec) -> Self {
        let checks = match &spec.checks {
            Some(named) => named.iter().map(String::as_str).collect(),
            None => CHECKS.into(),
        };
        let some = spec.interfaces.as_ref().is_some_and(|interfaces| {
            !interfaces.include.is_empty() || !interfaces.exclude.is_empty()
        });
        Self {
            checks,
            least: spec.min_severity,
            some_interfaces: some,
            pods: spec.pods,
        }
    }
}

impl Asked<'_> {
    /// True where a node may find more than it reports.
    pub fn is_narrow(&self) -> bool {
        !self.limits().is_empty()
    }

    /// The limits of the question in brackets; empty where everything is asked for. An answer of "no loss" is an answer
    /// to the question only.
    pub fn scope(&self) -> String {
        let limits = self.limits();
        if limits.is_empty() {
            return String::new();
        }
        format!(" ({})", limits.join(", "))
    }

    fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        if self.checks.len() < CHECKS.len() {
            limits.push(format!("{} of {} checks", self.checks.len(), CHECKS.len()));
        }
        if self.some_interfaces {
            limits.push("some interfaces".to_owned());
        }
        if !self.pods {
            limits.push("no pods".to_owned());
        }
        if self.least > Severity::Info {
            limits.push(match self.least {
                Severity::Info | Severity::Warning => "Warning or worse".to_owned(),
                Severity::Critical => "Critical only".to_owned(),
            });
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use netdiag_crds::interfaces::Interfaces;

    use super::*;

    #[test]
    fn a_question_names_its_limits() {
        let mut spec = crate::testing::diagnosis().spec;
        assert_eq!(Asked::from(&spec).scope(), "");
        spec.checks = Some(vec!["LinkMtu".into(), "Promiscuity".into()]);
        spec.pods = false;
        spec.min_severity = Severity::Warning;
        spec.interfaces = Some(Interfaces {
            include: vec!["eth*".into()],
            exclude: Vec::new(),
        });
        let all = CHECKS.len();
        assert_eq!(
            Asked::from(&spec).scope(),
            format!(" (2 of {all} checks, some interfaces, no pods, Warning or worse)")
        );
    }
}
