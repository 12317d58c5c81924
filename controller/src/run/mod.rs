//! One run of a diagnosis: what makes it a new one, and what of it is remembered in the status.

pub mod moment;
pub mod selection;
pub mod time;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisSpec,
    diagnosis::{NodeSelection, Once},
    interfaces::Interfaces,
    report::Mode,
};
use serde::Serialize;

/// The annotation that does the same as `spec.rerun`: tools that keep the spec as it is in a repository leave it alone.
const RERUN: &str = "netdiag.dev/rerun";

/// Seconds for a result to arrive after its window, and for an agent that was never heard of to see its assignment.
pub const GRACE: i64 = 60;

/// Seconds within which a node that reports window after window must write again: two intervals and the grace.
pub fn longest_silence(window_seconds: i32) -> i64 {
    i64::from(window_seconds).saturating_mul(2) + GRACE
}

/// The window of a diagnosis: how often, and seconds of each.
pub fn window(spec: &NodeNetDiagnosisSpec) -> (Mode, i32) {
    match (&spec.continuous, &spec.once) {
        (Some(continuous), _) => (Mode::Continuous, continuous.interval_seconds),
        (None, Some(once)) => (Mode::Once, once.duration_seconds),
        (None, None) => (Mode::Once, Once::default().duration_seconds),
    }
}

/// A run, as the stored status and the spec make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Uid of the diagnosis.
    pub uid: String,
    /// Its number: 1, and one more for each further run. Results of others do not count.
    pub generation: i64,
    /// Fingerprint of what began it.
    pub inputs: String,
    /// Once, or windows back to back.
    pub mode: Mode,
    /// Seconds of a window.
    pub window_seconds: i32,
    /// Its begin; `None` while it is suspended before its begin.
    pub start: Option<Timestamp>,
    /// The time at which it was complete.
    pub completion: Option<Timestamp>,
    /// Its running time in seconds.
    pub elapsed: i64,
    /// Windows are not to run now.
    pub suspended: bool,
}

impl Run {
    /// The run that a diagnosis is in now: the one that its status knows, or a new one when there is none or its
    /// inputs have changed. A new run starts at once, unless it is suspended.
    pub fn of(diagnosis: &NodeNetDiagnosis, now: Timestamp, elapsed: i64) -> Self {
        let spec = &diagnosis.spec;
        let inputs = fingerprint(diagnosis);
        let (mode, window_seconds) = window(spec);
        let status = diagnosis.status.as_ref();
        let before = status.and_then(|status| status.run_generation);
        let known = status
            .filter(|status| status.run_inputs.as_ref() == Some(&inputs))
            .filter(|status| status.run_generation.is_some());
        let start = known.and_then(|status| status.start_time.as_ref());
        let completion = known
            .and_then(|status| status.completion_time.as_ref())
            .map(|time| time.0);
        Self {
            uid: diagnosis.metadata.uid.clone().unwrap_or_default(),
            generation: known
                .and_then(|status| status.run_generation)
                .unwrap_or_else(|| before.unwrap_or_default().saturating_add(1)),
            inputs,
            mode,
            window_seconds,
            start: start.map(|time| time.0).or((!spec.suspend).then_some(now)),
            completion,
            elapsed,
            suspended: spec.suspend && completion.is_none(),
        }
    }

    /// The run as its stored status has it; `None` while the stored status is about another spec or no run has
    /// started. Assignments are made from this one only, so that a run is remembered before it has effects.
    pub fn stored(diagnosis: &NodeNetDiagnosis) -> Option<Self> {
        let status = diagnosis.status.as_ref()?;
        status.start_time.as_ref()?;
        let is_current = status.run_inputs.as_deref() == Some(&fingerprint(diagnosis));
        let elapsed = status.elapsed_seconds.unwrap_or_default();
        // The time is not used: a stored run that has started keeps its own.
        is_current.then(|| Self::of(diagnosis, Timestamp::UNIX_EPOCH, elapsed))
    }
}

/// The fields that begin a new run when they change. Lists that are sets are sorted, and the default mode is spelt out,
/// so that writing the same thing in another way restarts nothing.
#[derive(Serialize)]
struct Inputs<'a> {
    nodes: NodeSelection,
    checks: Option<Vec<String>>,
    interfaces: &'a Option<Interfaces>,
    pods: bool,
    mode: Mode,
    window_seconds: i32,
    rerun: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_annotation: Option<&'a String>,
}

fn fingerprint(diagnosis: &NodeNetDiagnosis) -> String {
    let spec = &diagnosis.spec;
    let mut nodes = spec.nodes.clone();
    if let Some(names) = &mut nodes.names {
        names.sort();
    }
    let mut checks = spec.checks.clone();
    if let Some(checks) = &mut checks {
        checks.sort();
    }
    let (mode, window_seconds) = window(spec);
    let inputs = Inputs {
        nodes,
        checks,
        interfaces: &spec.interfaces,
        pods: spec.pods,
        mode,
        window_seconds,
        rerun: &spec.rerun,
        rerun_annotation: diagnosis.annotations().get(RERUN),
    };
    // Plain data with string keys always serialises; an empty text would only mean a restart too few.
    let text = serde_json::to_string(&inputs).unwrap_or_default();
    format!("{:016x}", fnv1a(text.as_bytes()))
}

/// FNV-1a, 64 bit: stable across releases of Rust and of this program, which `std`'s hasher is not. It guards against
/// forgetting an edit, not against an adversary, who could edit `rerun` anyway.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

/// True where a list of members, which is in order, has this name.
pub fn has_member(members: &[String], name: &str) -> bool {
    members
        .binary_search_by(|member| member.as_str().cmp(name))
        .is_ok()
}

#[cfg(test)]
mod tests;
