//! A label selector whose size is bounded, so that the API server accepts the cost of its CEL rules.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::{
    KubeSchema,
    core::{ParseExpressionError, Rule, Selector},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{limits, rule::rule};

/// Nodes by their labels; every term must match. The shape is that of a Kubernetes LabelSelector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)"
).message("spec.nodes.selector is empty: give matchLabels or matchExpressions; for every node write nodes: {all: true}"))]
pub struct NodeSelector {
    /// Labels that a node must have with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(
        extend("maxProperties" = limits::SELECTOR_TERMS),
        extend("additionalProperties" = {"type": "string", "maxLength": limits::LABEL_VALUE})
    )]
    #[x_kube(validation = label_keys(), validation = label_values())]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements on labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::SELECTOR_TERMS))]
    pub match_expressions: Vec<NodeSelectorTerm>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "self.operator in ['In', 'NotIn'] ? (has(self.values) && size(self.values) > 0) : (!has(self.values) || size(self.values) == 0)"
).message("spec.nodes.selector.matchExpressions: In and NotIn need values, Exists and DoesNotExist take none"))]
pub struct NodeSelectorTerm {
    /// The label's key.
    #[schemars(length(min = 1, max = limits::LABEL_KEY))]
    #[x_kube(validation = expression_key())]
    pub key: String,
    /// The relation of the label to the values.
    pub operator: Operator,
    /// Values for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::SELECTOR_VALUES), inner(length(max = limits::LABEL_VALUE)))]
    #[x_kube(validation = expression_values())]
    pub values: Vec<String>,
}

/// The relation of a label to the values of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Operator {
    fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        }
    }
}

impl TryFrom<NodeSelector> for Selector {
    type Error = ParseExpressionError;

    fn try_from(selector: NodeSelector) -> Result<Self, Self::Error> {
        let requirement = |term: NodeSelectorTerm| LabelSelectorRequirement {
            key: term.key,
            operator: term.operator.as_str().to_owned(),
            values: Some(term.values).filter(|values| !values.is_empty()),
        };
        let expressions = selector.match_expressions.into_iter().map(requirement);
        LabelSelector {
            match_labels: Some(selector.match_labels),
            match_expressions: Some(expressions.collect()),
        }
        .try_into()
    }
}

/// Syntax of a label key (Kubernetes: IsQualifiedName), as RE2 within a CEL string.
const KEY_PATTERN: &str =
    "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
/// Syntax of a label value (Kubernetes: IsValidLabelValue), as RE2 within a CEL string.
const VALUE_PATTERN: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";
const KEY_MESSAGE: &str =
    "is not a label key: [prefix/]name of letters, digits, -, _ and ., such as kubernetes.io/os";
const VALUE_MESSAGE: &str =
    "has a value that is not a label value: at most 63 letters, digits, -, _ and ., such as linux";

fn label_keys() -> Rule {
    rule(
        &format!("self.all(key, key.matches('{KEY_PATTERN}'))"),
        &format!("spec.nodes.selector.matchLabels has a key that {KEY_MESSAGE}"),
    )
}

fn label_values() -> Rule {
    rule(
        &format!("self.all(key, self[key].matches('{VALUE_PATTERN}'))"),
        &format!("spec.nodes.selector.matchLabels {VALUE_MESSAGE}"),
    )
}

fn expression_key() -> Rule {
    rule(
        &format!("self.matches('{KEY_PATTERN}')"),
        &format!("spec.nodes.selector.matchExpressions has a key that {KEY_MESSAGE}"),
    )
}

fn expression_values() -> Rule {
    rule(
        &format!("self.all(value, value.matches('{VALUE_PATTERN}'))"),
        &format!("spec.nodes.selector.matchExpressions {VALUE_MESSAGE}"),
    )
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt;

    use super::*;

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_selector_matches_as_kubernetes_selects() {
        let selector = NodeSelector {
            match_labels: labels(&[("rack", "r1")]),
            match_expressions: vec![
                NodeSelectorTerm {
                    key: "pool".to_owned(),
                    operator: Operator::NotIn,
                    values: vec!["spot".to_owned()],
                },
                NodeSelectorTerm {
                    key: "gpu".to_owned(),
                    operator: Operator::DoesNotExist,
                    values: Vec::new(),
                },
            ],
        };
        let selector: Selector = selector.try_into().unwrap();
        assert!(selector.matches(&labels(&[("rack", "r1"), ("pool", "large")])));
        assert!(selector.matches(&labels(&[("rack", "r1")])));
        assert!(!selector.matches(&labels(&[("rack", "r2")])));
        assert!(!selector.matches(&labels(&[("rack", "r1"), ("pool", "spot")])));
        assert!(!selector.matches(&labels(&[("rack", "r1"), ("gpu", "")])));
    }
}
