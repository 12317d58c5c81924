//! Which nodes a diagnosis looks at.

use k8s_openapi::api::core::v1::Node;
use kube::{
    ResourceExt,
    core::{Selector, SelectorExt},
};
use netdiag_crds::{NodeNetReport, diagnosis::NodeSelection};

use crate::coverage::Coverage;

/// A node selection, ready to be asked about nodes. What is not understood selects nothing: a mistake must never
/// become the whole fleet.
pub enum Selected<'a> {
    /// Every node where an agent can be.
    All(&'a Coverage),
    /// Nodes by name.
    Names(Vec<String>),
    /// Nodes by label.
    Labels(Selector),
    /// No node.
    None,
}

impl<'a> Selected<'a> {
    /// The nodes of this selection, where agents can be on those of `coverage`.
    pub fn of(selection: &NodeSelection, coverage: &'a Coverage) -> Self {
        let NodeSelection {
            all,
            names,
            selector,
        } = selection;
        match (all, names, selector) {
            (Some(true), None, None) => Self::All(coverage),
            (None, Some(names), None) => Self::Names(names.clone()),
            (None, None, Some(selector)) => {
                let empty =
                    selector.match_labels.is_empty() && selector.match_expressions.is_empty();
                match Selector::try_from(selector.clone()) {
                    Ok(selector) if !empty => Self::Labels(selector),
                    _ => Self::None,
                }
            }
            _ => Self::None,
        }
    }

    /// True where this node, which has this report, is selected.
    pub fn contains(&self, node: &Node, report: Option<&NodeNetReport>) -> bool {
        match self {
            Self::All(coverage) => coverage.has(node, report),
            Self::Names(names) => names.contains(&node.name_any()),
            Self::Labels(selector) => selector.matches(node.labels()),
            Self::None => false,
        }
    }

    /// The names among the selected that no node has.
    pub fn missing(&self, exists: impl Fn(&str) -> bool) -> Vec<&str> {
        match self {
            Self::Names(names) => {
                let mut missing: Vec<&str> = names
                    .iter()
                    .map(String::as_str)
                    .filter(|name| !exists(name))
                    .collect();
                missing.sort_unstable();
                missing
            }
            Self::All(_) | Self::Labels(_) | Self::None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use netdiag_crds::selector::{NodeSelector, NodeSelectorTerm, Operator};

    use super::*;
    use crate::testing;

    fn selected(selection: &NodeSelection) -> Vec<&'static str> {
        let coverage = Coverage::default();
        let selected = Selected::of(selection, &coverage);
        [("a", "small"), ("b", "big"), ("c", "")]
            .into_iter()
            .filter(|(name, pool)| {
                let mut node = testing::node(name);
                if !pool.is_empty() {
                    node.labels_mut()
                        .insert("pool".to_owned(), (*pool).to_owned());
                }
                selected.contains(&node, None)
            })
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn each_way_selects_its_nodes() {
        let all = NodeSelection {
            all: Some(true),
            ..NodeSelection::default()
        };
        assert_eq!(selected(&all), ["a", "b", "c"]);
        let names = NodeSelection {
            names: Some(vec!["c".into(), "x".into()]),
            ..NodeSelection::default()
        };
        assert_eq!(selected(&names), ["c"]);
        let term = |operator, values: &[&str]| NodeSelection {
            selector: Some(NodeSelector {
                match_expressions: vec![NodeSelectorTerm {
                    key: "pool".into(),
                    operator,
                    values: values.iter().map(|value| (*value).to_owned()).collect(),
                }],
                ..NodeSelector::default()
            }),
            ..NodeSelection::default()
        };
        assert_eq!(selected(&term(Operator::In, &["small", "big"])), ["a", "b"]);
        assert_eq!(selected(&term(Operator::NotIn, &["small"])), ["b", "c"]);
        assert_eq!(selected(&term(Operator::Exists, &[])), ["a", "b"]);
        assert_eq!(selected(&term(Operator::DoesNotExist, &[])), ["c"]);
    }

    #[test]
    fn what_is_not_understood_selects_nothing() {
        for selection in [
            NodeSelection::default(),
            NodeSelection {
                all: Some(false),
                ..NodeSelection::default()
            },
            NodeSelection {
                selector: Some(NodeSelector::default()),
                ..NodeSelection::default()
            },
            NodeSelection {
                all: Some(true),
                names: Some(vec!["a".into()]),
                ..NodeSelection::default()
            },
        ] {
            assert_eq!(selected(&selection), Vec::<&str>::new(), "{selection:?}");
        }
    }

    #[test]
    fn names_without_a_node_are_known() {
        let selected = Selected::Names(vec!["z".into(), "a".into(), "y".into()]);
        assert_eq!(selected.missing(|name| name == "a"), ["y", "z"]);
        let coverage = Coverage::default();
        let all = Selected::All(&coverage);
        assert_eq!(all.missing(|_| false), Vec::<&str>::new());
    }
}
