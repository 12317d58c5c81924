//! The doors through which the crate `fuzz/` reaches what reads the outside. Each panics where a promise is broken.

use std::path::Path;

use netdiag_crds::{NodeNetReport, report::Assignment};
use netdiag_diagnosis::{Diagnosis, EvidenceWindow, Settings, anonymise, diagnose};

pub use crate::sources::fuzzing::{kernel_log, netlink, proc_file};
use crate::{
    probe_states,
    recording::{self, Recording},
    render::{self, Style},
    report,
};

/// Reads the text of a recording; `None` when it is refused.
pub fn recording(text: &[u8]) -> Option<Recording> {
    recording::parse(text, Path::new("r.json")).ok()
}

/// Diagnoses, shows and reports a window, and diagnoses what an anonymised recording of it holds. No control character
/// may reach a person.
pub fn window(window: &EvidenceWindow) {
    show(window);
    diagnose(&anonymise(window, 42), &Settings::default());
}

fn show(window: &EvidenceWindow) {
    let diagnosis = diagnose(window, &Settings::default());
    let report = report(&diagnosis, window);
    let text = render::render(&report, Style::new(Some(100), false, true));
    let hidden = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(hidden, None, "{text:?}");
    assert!(serde_json::to_vec(&report).is_ok());
}

/// The report of a window.
pub fn report(diagnosis: &Diagnosis, window: &EvidenceWindow) -> NodeNetReport {
    let agent = probe_states::agent_info(window.node.kernel.clone(), true);
    report::node_net_report(diagnosis, window, agent, probe_states::of(window))
}

/// Reads the settings of an assignment.
pub fn assignment(assignment: &Assignment) {
    let _ = crate::run::settings::of(assignment);
}
