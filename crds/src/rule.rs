//! Rules of validation.

use kube::core::Rule;

/// A CEL rule with the message that a person gets who breaks it: it names the field and what is allowed.
pub(crate) fn rule(rule: &str, message: &str) -> Rule {
    Rule::new(rule).message(message)
}
