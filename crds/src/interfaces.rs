//! Which interfaces of the node's own network namespace are reported.

use kube::{KubeSchema, core::Rule};
use serde::{Deserialize, Serialize};

use crate::{limits, rule::rule};

/// Interfaces of the node's own network namespace by name; absent: every interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interfaces {
    /// Globs of the interfaces to report, such as `eth*`; empty: all. `*` is any text, `?` one character, `[a-f]` one
    /// of a set, `[!a-f]` one not of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::GLOBS), inner(length(min = 1, max = limits::GLOB)))]
    #[x_kube(validation = glob_rule("include"))]
    pub include: Vec<String>,
    /// Globs of the interfaces to leave out, even when included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::GLOBS), inner(length(min = 1, max = limits::GLOB)))]
    #[x_kube(validation = glob_rule("exclude"))]
    pub exclude: Vec<String>,
}

/// A name may hold every printable character but `/` and white space (dev_valid_name()); what a glob gives a meaning
/// of its own (`{`, `\`, a lone bracket) is left out, so that a pattern means the same everywhere.
fn glob_rule(field: &str) -> Rule {
    const RULE: &str =
        r"self.all(glob, glob.matches('^([^][{}\\\\/\\s]|\\[!?[^][{}\\\\/\\s!]+\\])+$'))";
    rule(
        RULE,
        &format!(
            "spec.interfaces.{field} has an entry that is not an interface glob: allowed are names with *, ? and \
             [..], such as eth*, without white space, /, \\, {{ or }}"
        ),
    )
}
