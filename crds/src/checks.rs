//! The checks that `spec.checks` may name, and the words for their causes.

mod list;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{limits, severity::Severity};

pub use list::{CAUSES, CHECKS, OTHER_DROP};

/// A cause that this release knows.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Its check.
    pub check: &'static str,
    /// Its name.
    pub name: &'static str,
    /// A finding that is Info is about packets that nobody misses.
    pub is_harmless_as_info: bool,
    /// Its words in a roll-up: the same for every severity, or one for each, the least first. `{protocol}` stands for
    /// the protocol's name.
    pub headlines: &'static [&'static str],
}

impl Cause {
    /// Its words for this severity.
    pub fn headline(&self, severity: Severity) -> &'static str {
        match (self.headlines, severity) {
            ([info, ..], Severity::Info) => info,
            ([_, warning, ..], Severity::Warning) => warning,
            ([.., last], _) => last,
            ([], _) => self.name,
        }
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

/// What `kubectl explain` says of the list: it shows no allowed values of a list's items by itself.
pub(crate) fn description() -> String {
    format!(
        "The checks to report, of {}; absent: all. Causes of a reported finding are reported with it, whatever their \
         check.",
        CHECKS.join(", ")
    )
}
