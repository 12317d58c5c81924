//! Upper bounds of lists (items) and strings (characters), as the schema has them.
//!
//! The agent and the controller cut to these before they write. An API server counts characters, not bytes.

/// Length of an object name (RFC 1123 subdomain).
pub const NAME: usize = 253;
/// Length of a uid.
pub const UID: usize = 64;
/// Length of an identifier that a program reads: check, cause, severity, state, backend.
pub const WORD: usize = 64;
/// Length of a line that a person reads in a table or list.
pub const LINE: usize = 256;
/// Length of a paragraph: explanation, impact, messages of conditions.
pub const PARAGRAPH: usize = 2048;
/// Length of a finding's id.
pub const FINDING_ID: usize = 512;
/// Length of a command in a remedy.
pub const COMMAND: usize = 1024;

/// Node names that one diagnosis may list.
pub const NODE_NAMES: usize = 1000;
/// Checks that one diagnosis may list.
pub const CHECKS: usize = 32;
/// Interface globs of one list. Every assignment of a node repeats them, so they are few and short.
pub const GLOBS: usize = 16;
/// Length of an interface glob. An interface name has at most 15 bytes (IFNAMSIZ).
pub const GLOB: usize = 32;
/// Length of `spec.rerun`.
pub const RERUN: usize = 64;
/// Entries of `matchLabels`, and of `matchExpressions`.
pub const SELECTOR_TERMS: usize = 16;
/// Values of one selector expression.
pub const SELECTOR_VALUES: usize = 32;
/// Length of a label key: prefix of 253, slash, name of 63.
pub const LABEL_KEY: usize = 317;
/// Length of a label value.
pub const LABEL_VALUE: usize = 63;

/// Seconds that one window may last: `once.durationSeconds`.
pub const ONCE_SECONDS: std::ops::RangeInclusive<i32> = 1..=3600;
/// Seconds between reports: `continuous.intervalSeconds`.
pub const CONTINUOUS_SECONDS: std::ops::RangeInclusive<i32> = 60..=86_400;
/// Longest time over which the nodes of a run spread their results: half of what the controller waits after a window.
pub const SPREAD_SECONDS: i32 = 30;
/// Longest `ttlSecondsAfterFinished`: a year.
pub const TTL_SECONDS: i32 = 31_536_000;

/// Conditions of one object.
pub const CONDITIONS: usize = 16;
/// Diagnoses that one node works on at a time.
pub const ASSIGNMENTS: usize = 8;
/// Diagnoses that one node remembers to have refused.
pub const REFUSED: usize = 32;
/// Probes of one agent.
pub const PROBES: usize = 32;
/// Findings of one result.
pub const FINDINGS: usize = 256;
/// Facts of one finding.
pub const EVIDENCE: usize = 32;
/// Names of neighbours in one finding.
pub const NEIGHBOURS: usize = 16;
/// Flows that one finding names.
pub const FLOWS: usize = 4;
/// Causes of one finding.
pub const CAUSES: usize = 16;
/// Findings that the first sentence is about.
pub const ABOUT: usize = 16;
/// Remedies of one finding.
pub const REMEDIES: usize = 8;
/// Counters of one result.
pub const LEDGER: usize = 256;
/// Bookings of one counter.
pub const EXPLAINED: usize = 32;
/// Findings of one result that are over.
pub const RESOLVED: usize = 16;
/// Facts of one node.
pub const FACTS: usize = 24;
/// Entries of one result's `unchecked`.
pub const UNCHECKED: usize = 64;

/// Nodes of one run that a diagnosis remembers by name.
pub const MEMBERS: usize = 5000;
/// Rolled-up findings of one diagnosis.
pub const FLEET_FINDINGS: usize = 100;
/// Counters of one diagnosis.
pub const FLEET_LEDGER: usize = 64;
/// Example nodes of one rolled-up finding.
pub const EXAMPLE_NODES: usize = 10;
/// Factors that the affected nodes of one rolled-up finding have in common.
pub const COMMON_FACTORS: usize = 10;
/// Nodes in `nodeFindings`.
pub const NODE_FINDINGS: usize = 500;
/// Findings of one node in `nodeFindings`.
pub const FINDINGS_PER_NODE: usize = 32;
