//! The CustomResourceDefinitions, from the Rust types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, core::Rule};

use crate::{NodeNetDiagnosis, NodeNetReport};

/// Every CustomResourceDefinition of the group.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![NodeNetDiagnosis::crd(), NodeNetReport::crd()]
}

/// The CustomResourceDefinitions as one YAML stream.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn yaml() -> Result<String, serde_yaml::Error> {
    let mut stream = String::new();
    for crd in crds() {
        stream.push_str("---\n");
        stream.push_str(&serde_yaml::to_string(&crd)?);
    }
    Ok(stream)
}

/// A CEL rule with the message that a person gets who breaks it: it names the field and what is allowed.
pub(crate) fn rule(rule: &str, message: &str) -> Rule {
    Rule::new(rule).message(message)
}
