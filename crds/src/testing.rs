//! The definitions of earlier releases.

use serde::Deserialize;
use serde_json::{Value, json};

/// The CustomResourceDefinitions of release 0.1 as one YAML stream.
pub const RELEASE_0_1: &str = include_str!("../testdata/crds-0.1.yaml");

/// The report of a node of release 0.1 that loses fragments, as its agent printed it: two Critical, one Info.
pub const REPORT_0_1_FRAGMENTS: &str = include_str!("../testdata/report-0.1-fragments.json");

/// The report of a node of release 0.1 on which nothing is lost except LLDP: only Info.
pub const REPORT_0_1_LLDP: &str = include_str!("../testdata/report-0.1-lldp.json");

/// The schema of a kind in a stream of definitions; null where it is not there.
pub fn schema(definitions: &str, kind: &str) -> Value {
    serde_yaml::Deserializer::from_str(definitions)
        .filter_map(|definition| Value::deserialize(definition).ok())
        .find(|definition| definition["spec"]["names"]["kind"] == kind)
        .map(|definition| definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
        .unwrap_or_default()
}

/// A value that has every field of a schema, and one item in each list.
pub fn sample(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields
                .map(|(name, field)| (name.clone(), sample(field)))
                .collect()
        }
        Some("array") => json!([sample(&schema["items"])]),
        Some("boolean") => json!(true),
        Some("integer") => json!(1),
        _ => match (schema["format"].as_str(), schema["enum"].get(0)) {
            (Some("date-time"), _) => json!("2026-01-01T00:00:00Z"),
            (_, Some(word)) => word.clone(),
            _ => json!("x"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeNetReport, harm::Harm, report::Finding, schema::yaml};

    /// Notes what a later definition may not do to an object that was valid by an earlier one.
    fn compare(path: &str, old: &Value, new: &Value, broken: &mut Vec<String>) {
        if new.is_null() {
            broken.push(format!("{path} is gone"));
            return;
        }
        if old["type"] != new["type"] {
            broken.push(format!("{path} has another type"));
        }
        for bound in ["maxLength", "maxItems", "maximum"] {
            if new[bound].as_f64() < old[bound].as_f64() && !new[bound].is_null() {
                broken.push(format!("{path} has a lower {bound}"));
            }
        }
        let names = |schema: &Value| -> Vec<String> {
            let names = schema["required"].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let known = names(old);
        for name in names(new) {
            if !known.contains(&name) {
                broken.push(format!("{path}.{name} is required now"));
            }
        }
        for (name, old) in old["properties"].as_object().into_iter().flatten() {
            compare(
                &format!("{path}.{name}"),
                old,
                &new["properties"][name],
                broken,
            );
        }
        if !old["items"].is_null() {
            compare(&format!("{path}[]"), &old["items"], &new["items"], broken);
        }
    }

    #[test]
    fn reports_of_the_first_release_are_read_with_the_harm_that_they_imply() {
        for (report, expected) in [
            (
                REPORT_0_1_FRAGMENTS,
                [Harm::Loss, Harm::Loss, Harm::Unknown].as_slice(),
            ),
            (REPORT_0_1_LLDP, &[Harm::Unknown, Harm::Unknown]),
        ] {
            let report: NodeNetReport = serde_json::from_str(report).unwrap();
            let results = report.status.unwrap().results;
            let harms = results.iter().flat_map(|result| &result.findings);
            assert_eq!(harms.map(Finding::harm).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_the_first_release_stored_is_valid_today() {
        let today = yaml().unwrap();
        let mut broken = Vec::new();
        for kind in ["NodeNetDiagnosis", "NodeNetReport"] {
            let old = schema(RELEASE_0_1, kind);
            assert!(old.is_object(), "{kind}");
            compare(kind, &old, &schema(&today, kind), &mut broken);
        }
        assert!(broken.is_empty(), "{broken:?}");
    }
}
