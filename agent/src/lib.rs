//! The node agent: gathers evidence, hands it to the pure detectors, and reports what they say.

pub mod probes;
pub mod recording;
pub mod render;
