//! Windows that the agent recorded on real kernels (`netdiag-agent diagnose --record`), cut to what a test is about.

use serde::Deserialize;

use crate::evidence::EvidenceWindow;

#[derive(Deserialize)]
struct Recording {
    evidence: EvidenceWindow,
}

/// The evidence of a recording.
pub(crate) fn window(text: &str) -> EvidenceWindow {
    let recording: Recording = serde_json::from_str(text).expect("a recording");
    recording.evidence
}
