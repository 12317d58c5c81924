//! The checks that `spec.checks` may name.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::limits;

/// Every check, in the order of the reference.
pub const CHECKS: [&str; 10] = [
    "Promiscuity",
    "UnhandledProtocol",
    "ChecksumDrop",
    "DriverChecksum",
    "FragmentReassembly",
    "TapQueueDrop",
    "LinkMtu",
    "SegmentOffload",
    "ReceiveOverrun",
    "OtherDrop",
];

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
