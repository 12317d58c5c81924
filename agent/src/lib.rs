//! The node agent: gathers evidence, hands it to the pure detectors, and reports what they say.

pub mod causes;
pub mod cli;
pub mod collect;
pub mod diagnose;
mod limits;
pub mod privileges;
mod probe_states;
pub mod probes;
pub mod recording;
pub mod render;
pub mod report;
pub mod run;
mod self_test;
pub mod sources;
