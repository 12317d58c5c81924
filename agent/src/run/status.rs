//! The node's status as it should be. Pure.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use netdiag_client::Undeclared;
use netdiag_crds::{
    NodeNetReportStatus,
    conditions::{READY, Status, condition, reasons},
    report::{AgentInfo, Fact, Probe, ReportSummary, RunResult},
};
use netdiag_diagnosis::text::cut;

use crate::{
    probe_states,
    probes::{
        KernelFacts,
        standing::{ATTACHED, IDLE},
    },
    report,
};

/// The parts of the status besides the results.
pub(super) struct About {
    agent: AgentInfo,
    /// The privileges that the node takes from the agent, a sentence each.
    forbidden: Vec<String>,
    /// The state of the probes at the end of the last window.
    pub probes: Vec<Probe>,
    /// The node's facts, as windows have shown them.
    pub facts: Vec<Fact>,
    /// The conditions as they were written last, for their times of transition.
    pub conditions: Vec<Condition>,
}

impl About {
    /// This agent on this kernel; nothing is known of its probes before the first window. `forbidden`: what the node
    /// forbids to it, a sentence each.
    pub(super) fn new(kernel: &KernelFacts, forbidden: Vec<String>) -> Self {
        Self {
            forbidden,
            agent: probe_states::agent_info(kernel.release.clone(), kernel.has_types),
            probes: Vec::new(),
            facts: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// Remembers the facts that the window of this result has shown.
    pub(super) fn learned(&mut self, facts: Vec<Fact>, result: &RunResult) {
        let window = result.window.as_ref();
        let seconds = window.map_or(0, |window| window.duration_seconds);
        self.facts = report::with_former(facts, &self.facts, seconds);
    }

    /// An agent that may do less than it needs works all the same.
    fn readiness(&self) -> String {
        let mut message = "the agent works on what is assigned to this node".to_owned();
        for sentence in &self.forbidden {
            message.push_str("; ");
            message.push_str(sentence);
        }
        cut(&message, MESSAGE).into_owned()
    }

    fn probes(&self, active: bool) -> Vec<Probe> {
        let state = |probe: &Probe| match probe.state.as_str() {
            // One that a question attaches may be idle within a window, too.
            ATTACHED if !active => IDLE.to_owned(),
            other => other.to_owned(),
        };
        self.probes
            .iter()
            .map(|probe| Probe {
                state: state(probe),
                ..probe.clone()
            })
            .collect()
    }
}

/// The whole status, cut to the schema's limits and to the size of an object. `active`: some window runs. `rest`: bytes
/// of the object's metadata and spec.
pub(super) fn build(
    about: &About,
    generation: Option<i64>,
    results: &[RunResult],
    active: bool,
    rest: usize,
    now: Timestamp,
) -> NodeNetReportStatus {
    let mut status = NodeNetReportStatus {
        observed_generation: generation,
        conditions: vec![condition(
            &about.conditions,
            READY,
            Status::True,
            reasons::AGENT_RUNNING,
            about.readiness(),
            generation,
            now,
        )],
        agent: Some(about.agent.clone()),
        probes: about.probes(active),
        facts: about.facts.clone(),
        results: results.to_vec(),
        ..NodeNetReportStatus::default()
    };
    report::bound(&mut status);
    // Before, for its place in the object and because what does not fit was lost all the same; and after, because the
    // rest counts what the object holds.
    let whole = report::summary(&status);
    status.summary = Some(whole.clone());
    report::fit(&mut status, rest);
    status.summary = Some(ReportSummary {
        harm: whole.harm,
        lost: whole.lost,
        ..report::summary(&status)
    });
    status
}

/// The status for an API server whose CRD lacks some fields, which the writer takes out: it says which.
pub(super) fn older(status: &NodeNetReportStatus, undeclared: &Undeclared) -> NodeNetReportStatus {
    let mut older = status.clone();
    for ready in &mut older.conditions {
        reasons::SCHEMA_OLDER.clone_into(&mut ready.reason);
        let message = format!(
            "the API server's CRDs are older than this agent: apply those of version {}; {}; left out until then: {undeclared}",
            env!("CARGO_PKG_VERSION"),
            cut(&ready.message, MESSAGE / 2),
        );
        ready.message = cut(&message, MESSAGE).into_owned();
    }
    older
}

/// The least that the controller needs, for an API server that refuses the rest since a moment.
pub(super) fn minimal(
    status: &NodeNetReportStatus,
    reason: &str,
    since: Timestamp,
) -> NodeNetReportStatus {
    let results = status
        .results
        .iter()
        .map(|result| RunResult {
            diagnosis: result.diagnosis.clone(),
            diagnosis_uid: result.diagnosis_uid.clone(),
            run_generation: result.run_generation,
            state: result.state.clone(),
            window: result.window.clone(),
            message: result.message.clone(),
            ..RunResult::default()
        })
        .collect();
    let message = format!(
        "the API server refused what was found, its CRDs may be older than this agent: apply those of version {}; {reason}",
        env!("CARGO_PKG_VERSION")
    );
    let conditions = status
        .conditions
        .iter()
        .map(|ready| Condition {
            status: "False".to_owned(),
            reason: reasons::SCHEMA_MISMATCH.to_owned(),
            message: cut(&message, MESSAGE).into_owned(),
            last_transition_time: Time(since),
            ..ready.clone()
        })
        .collect();
    NodeNetReportStatus {
        observed_generation: status.observed_generation,
        conditions,
        results,
        ..NodeNetReportStatus::default()
    }
}

/// Characters of the condition's message that are kept.
const MESSAGE: usize = 1024;

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::EvidenceWindow;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn about() -> About {
        let mut about = About::new(&KernelFacts::default(), Vec::new());
        about.probes = probe_states::of(&EvidenceWindow::default());
        let drop = about.probes.first_mut().unwrap();
        drop.state = ATTACHED.to_owned();
        about
    }

    fn result() -> RunResult {
        RunResult {
            diagnosis: "a".to_owned(),
            state: "Finished".to_owned(),
            ledger: vec![Default::default()],
            ..RunResult::default()
        }
    }

    #[test]
    fn probes_are_idle_while_no_window_runs_and_keep_what_is_wrong() {
        let states = |active| {
            let status = build(&about(), Some(3), &[], active, 0, NOW);
            let states = status.probes.into_iter().map(|probe| probe.state);
            states.take(2).collect::<Vec<_>>()
        };
        assert_eq!(states(true), ["Attached", "Unavailable"]);
        assert_eq!(states(false), ["Idle", "Unavailable"]);
    }

    #[test]
    fn the_same_state_gives_the_same_status_later() {
        let mut about = about();
        let first = build(&about, Some(3), &[result()], false, 0, NOW);
        about.conditions.clone_from(&first.conditions);
        let later = Timestamp::from_second(99).unwrap();
        assert_eq!(build(&about, Some(3), &[result()], false, 0, later), first);
        assert_eq!(first.observed_generation, Some(3));
    }

    #[test]
    fn an_agent_that_may_do_less_is_ready_and_says_what_it_lacks() {
        let about = About::new(
            &KernelFacts::default(),
            vec!["no log".to_owned(), "x".repeat(2_000)],
        );
        let status = build(&about, Some(1), &[], false, 0, NOW);
        let ready = &status.conditions[0];
        assert_eq!(ready.status, "True");
        assert!(
            ready.message.contains("this node; no log; xx"),
            "{}",
            ready.message
        );
        assert_eq!(ready.message.chars().count(), MESSAGE);
    }

    #[test]
    fn the_least_acknowledges_and_says_why_it_is_the_least() {
        let status = build(&about(), Some(3), &[result()], false, 0, NOW);
        let least = minimal(&status, "unknown field", NOW);
        assert_eq!(least.observed_generation, Some(3));
        assert_eq!(least.conditions[0].reason, "SchemaMismatch");
        assert!(least.is_minimal() && !status.is_minimal());
        assert_eq!(least.conditions[0].status, "False");
        let message = &least.conditions[0].message;
        assert!(message.contains("apply those of version"), "{message}");
        assert!(message.ends_with("; unknown field"), "{message}");
        assert_eq!(least.results[0].state, "Finished");
        assert!(least.results[0].ledger.is_empty());
        assert!(least.probes.is_empty() && least.summary.is_none());
    }
}
