//! The check that each node has an agent that works. Pure.
//!
//! An agent that has nothing to do writes nothing, so the age of its report says nothing. What shows that it lives is
//! its pod's readiness: it has read its assignments, and its main loop comes round. What shows that it works for this
//! cluster is its report: Ready, and of the assignments' last generation.

use std::collections::BTreeMap;

use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Pod};
use kube::ResourceExt;
use netdiag_crds::{NodeNetReport, conditions};

use super::{
    seen::Seen,
    statement::{Statement, unread},
};
use crate::{
    cli::CheckArgs,
    coverage::placement::{Fit, Placement},
    diagnosis::{phrase, progress::is_ready},
    stored_report::is_acknowledged,
};

/// Of a message that a kubelet or an agent wrote.
const MESSAGE: usize = 300;

/// The sentences about the nodes: one sentence for all that are well, one for each reason why others are not.
pub fn agents(seen: &Seen, args: &CheckArgs) -> Vec<Statement> {
    let (daemon_set, pods, nodes, reports) =
        match (&seen.agents, &seen.pods, &seen.nodes, &seen.reports) {
            (Err(error), ..) => return vec![unread("The agents' DaemonSet", error)],
            (_, Err(error), ..) => return vec![unread("The agents' pods", error)],
            (_, _, Err(error), _) => return vec![unread("The nodes", error)],
            (Ok(None), ..) => {
                return vec![Statement::wrong(format!(
                    "There is no DaemonSet {} in the namespace {}.",
                    args.agents, args.namespace
                ))];
            }
            // What is to be said of reports that are not served has been said.
            (Ok(Some(agents)), Ok(pods), Ok(nodes), reports) => {
                let reports = reports.as_ref().ok().and_then(Option::as_ref);
                (agents, pods, nodes, reports)
            }
        };
    let mut fleet = Fleet::default();
    let all_there = pods.len() >= desired(daemon_set);
    let rules = Placement::of(daemon_set);
    for node in nodes {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let pod = pod_of(name, pods);
        if !is_ready(node) {
            fleet.not_ready.push(name);
        } else if pod.is_none() && (all_there || rules.fit(node) != Fit::Placed) {
            fleet.left_out.push(name);
        } else {
            let report = reports.map(|reports| reports.iter().find(|it| it.name_any() == name));
            match obstacle(pod, report, args) {
                Some(obstacle) => {
                    let alike = fleet.wrong.entry(obstacle.kind);
                    let (_, names) = alike.or_insert((obstacle.text, Vec::new()));
                    names.push(name);
                }
                None => fleet.well += 1,
            }
        }
    }
    fleet.statements()
}

/// The nodes by how they stand.
#[derive(Default)]
struct Fleet<'a> {
    well: usize,
    not_ready: Vec<&'a str>,
    left_out: Vec<&'a str>,
    /// By the kind of obstacle: what it is like on the first of these nodes, and all of them.
    wrong: BTreeMap<String, (String, Vec<&'a str>)>,
}

/// Why a node has no agent that works.
struct Obstacle {
    /// The same on nodes with the same fault, whatever their pods are called.
    kind: String,
    /// A sentence for people.
    text: String,
}

impl From<String> for Obstacle {
    fn from(text: String) -> Self {
        let kind = text.clone();
        Self { kind, text }
    }
}

impl Fleet<'_> {
    fn statements(&self) -> Vec<Statement> {
        let wrong: usize = self.wrong.values().map(|(_, names)| names.len()).sum();
        let asked = self.well + wrong;
        let text = format!(
            "{} of {} an agent that works.",
            self.well,
            if asked == 1 {
                "1 node has".to_owned()
            } else {
                format!("{asked} nodes have")
            }
        );
        let mut statements = vec![if wrong > 0 {
            Statement::wrong(text)
        } else if asked == 0 {
            Statement::wrong(
                "No node is to have an agent: agent.nodeSelector, agent.affinity and agent.tolerations leave out all.",
            )
        } else {
            Statement::well(text)
        }];
        for (why, names) in self.wrong.values() {
            statements.push(Statement::wrong(format!("{}: {why}", phrase::names(names))));
        }
        for (names, why) in [
            (
                &self.not_ready,
                "not Ready themselves, so their agents are not asked",
            ),
            (
                &self.left_out,
                "left out by agent.nodeSelector, agent.affinity or agent.tolerations",
            ),
        ] {
            if !names.is_empty() {
                let count = phrase::nodes(names.len());
                let names = phrase::names(names);
                statements.push(Statement::note(format!("{count} ({names}): {why}.")));
            }
        }
        statements
    }
}

/// Why a node that should have an agent has none that works.
fn obstacle(
    pod: Option<&Pod>,
    report: Option<Option<&NodeNetReport>>,
    args: &CheckArgs,
) -> Option<Obstacle> {
    let CheckArgs {
        namespace, agents, ..
    } = args;
    let Some(pod) = pod else {
        let text = format!(
            "there is no agent, and the DaemonSet could not make one. \
             `kubectl describe daemonset -n {namespace} {agents}` says why."
        );
        return Some(text.into());
    };
    if !has_condition(pod, "Ready") {
        let (kind, why) = why_not_ready(pod);
        let text = format!(
            "the agent is not ready: {}. \
             `kubectl get pods -n {namespace} -l app.kubernetes.io/component=agent -o wide` names the pods.",
            phrase::cut(&why, MESSAGE),
        );
        return Some(Obstacle { kind, text });
    }
    let Some(report) = report? else {
        let text = "there is no report, which the controller should have made by now.";
        return Some(text.to_owned().into());
    };
    let conditions = report
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == conditions::READY);
    let text = match ready {
        None => Some("the agent has not written its report.".to_owned()),
        Some(ready) if ready.status != "True" => Some(format!(
            "the agent says in its report: {}",
            phrase::cut(&printable(&ready.message), MESSAGE)
        )),
        Some(_) if !is_acknowledged(report) => {
            Some("the agent has not taken up what it was assigned last.".to_owned())
        }
        Some(_) => None,
    };
    text.map(Obstacle::from)
}

fn desired(agents: &DaemonSet) -> usize {
    let wanted = agents.status.as_ref();
    let wanted = wanted.map_or(0, |status| status.desired_number_scheduled);
    usize::try_from(wanted).unwrap_or(0)
}

/// The pod of this node; of several, as while it is replaced, one that is ready.
fn pod_of<'a>(node: &str, pods: &'a [Pod]) -> Option<&'a Pod> {
    let on_node = || pods.iter().filter(|pod| place(pod) == Some(node));
    on_node()
        .find(|pod| has_condition(pod, "Ready"))
        .or_else(|| on_node().next())
}

/// The node that a pod is on, or waits for: the DaemonSet controller names it in the pod's affinity.
fn place(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    let waits_for = || {
        let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
        let required = affinity
            .required_during_scheduling_ignored_during_execution
            .as_ref()?;
        let fields = required
            .node_selector_terms
            .first()?
            .match_fields
            .as_ref()?;
        fields.first()?.values.as_ref()?.first()
    };
    let node = spec.node_name.as_ref().or_else(waits_for);
    node.map(String::as_str)
}

fn has_condition(pod: &Pod, type_: &str) -> bool {
    let conditions = pod.status.iter().flat_map(|status| &status.conditions);
    conditions
        .flatten()
        .any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// In one word where the kubelet has one, which is the same for all pods, and in words, which may name the pod.
fn why_not_ready(pod: &Pod) -> (String, String) {
    let alike = |text: &str| (text.to_owned(), text.to_owned());
    let Some(status) = &pod.status else {
        return alike("nothing is known of its pod");
    };
    let states = || {
        let containers = status.container_statuses.iter().flatten();
        containers.filter_map(|container| container.state.as_ref())
    };
    if let Some(waiting) = states().find_map(|state| state.waiting.as_ref()) {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        let why = match &waiting.message {
            Some(message) => format!("{reason}, {}", printable(message)),
            None => reason.to_owned(),
        };
        return (reason.to_owned(), why);
    }
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    match unscheduled.and_then(|condition| condition.message.as_deref()) {
        Some(message) => alike(&printable(message)),
        None if states().any(|state| state.running.is_some()) => {
            alike("its container runs, and its /readyz does not say yes")
        }
        None => alike("its container does not run"),
    }
}

/// Text of others, on one line and without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
