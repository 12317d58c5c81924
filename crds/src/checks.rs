//! The checks that `spec.checks` may name, and the words for their causes.

mod list;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{harm::Harm, limits};

pub use list::{CAUSES, CHECKS, OTHER_DROP};

/// A cause that this release knows.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Its check.
    pub check: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its words in a roll-up. `{protocol}` stands for the protocol's name.
    pub headline: &'static str,
    /// The words for a harm, where they say more about it. `{outage}` stands for the words for an outage.
    pub by_harm: &'static [(Harm, &'static str)],
}

impl Cause {
    /// The words for this harm, where it has its own.
    pub fn words_for(&self, harm: Harm) -> Option<&'static str> {
        let mut all = self.by_harm.iter();
        all.find(|(of, _)| *of == harm).map(|(_, words)| *words)
    }
}

/// The cause of these names; `None` for one of a newer release, and for the kernel's own reasons.
pub fn cause(check: &str, name: &str) -> Option<&'static Cause> {
    let mut causes = CAUSES.iter();
    causes.find(|cause| (cause.check, cause.name) == (check, name))
}

/// A list of known checks, in the schema only: in Rust a check is a string, so that a controller can still decode a
/// diagnosis that names a check of a newer release and pass it on.
pub(crate) fn known_checks(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {"type": "string", "enum": CHECKS},
        "minItems": 1,
        "maxItems": limits::CHECKS,
        "x-kubernetes-list-type": "set",
    })
}

/// The words of `kubectl explain` about the list: it shows no allowed values of a list's items by itself.
pub(crate) fn description() -> String {
    format!(
        "The checks to report, of {}; absent: all. Causes of a reported finding are reported with it, whatever their \
         check.",
        CHECKS.join(", ")
    )
}
