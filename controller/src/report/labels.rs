//! Labels of a report: the worst of what its agent found, so that `kubectl get nnr -l` selects by it.

use std::collections::BTreeMap;

use kube::ResourceExt;
use netdiag_crds::{NodeNetReport, harm::Harm, labels, severity::Severity};

/// The labels that the controller keeps on a report.
pub type Labels = BTreeMap<&'static str, &'static str>;

/// The labels that say the same as the report's columns HARM and SEVERITY. An empty column has none.
pub fn wanted(report: &NodeNetReport) -> Labels {
    let status = report.status.as_ref();
    let Some(summary) = status.and_then(|status| status.summary.as_ref()) else {
        return Labels::new();
    };
    let harm = summary.harm.as_deref().filter(|word| !word.is_empty());
    let severity = Some(summary.severity.as_str()).filter(|word| !word.is_empty());
    let harm = harm.map(|word| Harm::from_status(word).as_str());
    let severity = severity.map(|word| Severity::from_status(word).as_str());
    let found = [(labels::HARM, harm), (labels::SEVERITY, severity)].into_iter();
    found.filter_map(|(key, word)| Some((key, word?))).collect()
}

/// True where the report has these labels, and no other of their keys.
pub fn are_set(report: &NodeNetReport, wanted: &Labels) -> bool {
    let keys = [labels::HARM, labels::SEVERITY];
    keys.iter().all(|key| {
        let set = report.labels().get(*key).map(String::as_str);
        set == wanted.get(key).copied()
    })
}

#[cfg(test)]
mod tests {
    use netdiag_crds::report::ReportSummary;

    use super::*;
    use crate::testing::ReportBuilder;

    fn found(harm: Option<&str>, severity: &str) -> NodeNetReport {
        let mut report = ReportBuilder::new("a").assigned(0).acknowledged().build();
        let status = report.status.as_mut().expect("acknowledged");
        status.summary = Some(ReportSummary {
            harm: harm.map(str::to_owned),
            severity: severity.to_owned(),
            ..ReportSummary::default()
        });
        report
    }

    #[test]
    fn labels_repeat_the_columns() {
        let report = found(Some("Outage"), "Critical");
        let both = Labels::from([
            ("netdiag.dev/harm", "Outage"),
            ("netdiag.dev/severity", "Critical"),
        ]);
        assert_eq!(wanted(&report), both);
        // An older agent knows no harm, and a newer one may know other words, which must not hide.
        let severity = Labels::from([("netdiag.dev/severity", "Info")]);
        assert_eq!(wanted(&found(None, "Info")), severity);
        let newer = Labels::from([
            ("netdiag.dev/harm", "Unknown"),
            ("netdiag.dev/severity", "Critical"),
        ]);
        assert_eq!(wanted(&found(Some("Worse"), "Fatal")), newer);
        assert_eq!(wanted(&found(Some(""), "")), Labels::new());
        let silent = ReportBuilder::new("a").build();
        assert_eq!(wanted(&silent), Labels::new());
    }

    #[test]
    fn labels_that_are_right_are_left_alone_and_those_of_an_end_are_not() {
        let mut report = found(Some("Loss"), "Warning");
        let before = wanted(&report);
        assert!(!are_set(&report, &before));
        for (key, word) in &before {
            report
                .labels_mut()
                .insert((*key).to_owned(), (*word).to_owned());
        }
        report.labels_mut().insert("team".into(), "net".into());
        assert!(are_set(&report, &before));
        assert!(!are_set(&report, &wanted(&found(Some("Loss"), "Critical"))));
        assert!(!are_set(&report, &Labels::new()));
    }
}
