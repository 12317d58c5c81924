//! The node agent: gathers evidence, hands it to the pure detectors, and reports what they say.

#![warn(unreachable_pub, clippy::self_named_module_files)]

mod bounded;
pub mod causes;
pub mod cli;
mod collect;
pub mod diagnose;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod limits;
mod memory;
mod privileges;
mod probe_states;
mod probes;
pub mod recording;
mod render;
pub mod report;
pub mod run;
mod self_test;
pub mod show;
mod sources;
mod stdout;
mod wording;
