//! A control plane with netdiag's controller, and diagnoses on it, as a person makes them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::{programs, wait};

/// Starts `netdiag-controller run` against the control plane, with its log in the folder of `kubeconfig`.
pub fn start_controller(plane: &ControlPlane) -> Result<Process> {
    let kubeconfig = plane.kubeconfig();
    let mut command = std::process::Command::new(programs::controller()?);
    command.arg("run").arg("--kubeconfig").arg(&kubeconfig);
    Process::start(
        "netdiag-controller",
        command,
        &kubeconfig.with_extension("controller.log"),
    )
}

/// The manifest of a diagnosis of some nodes, once.
pub fn once(name: &str, nodes: &[&str], seconds: u64) -> Value {
    json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetDiagnosis",
        "metadata": { "name": name },
        "spec": { "nodes": { "names": nodes }, "once": { "durationSeconds": seconds } },
    })
}

/// Waits until this node's window has begun: only what happens from then on is counted.
pub fn wait_until_running(kubectl: &Kubectl, name: &str, node: &str) -> Result<()> {
    wait::until(&format!("{name} to run on {node}"), wait::LIMIT, || {
        let result = result(kubectl, name, node)?;
        Ok((result["state"] == "Running").then_some(()))
    })
}

/// Waits until a diagnosis is complete; returns it.
pub fn wait_until_complete(kubectl: &Kubectl, name: &str, limit: Duration) -> Result<Value> {
    wait::until(&format!("{name} to complete"), limit, || {
        let diagnosis = kubectl.get(&["nnd", name])?;
        let complete = condition(&diagnosis, "Complete").is_some_and(|status| status == "True");
        Ok(complete.then_some(diagnosis))
    })
}

/// Reads the result of a node's agent for a diagnosis.
pub fn result(kubectl: &Kubectl, name: &str, node: &str) -> Result<Value> {
    let report = kubectl.get(&["nnr", node])?;
    let results = report["status"]["results"]
        .as_array()
        .context("the report has no results")?;
    let mut matching = results.iter().filter(|result| result["diagnosis"] == name);
    matching
        .next()
        .cloned()
        .with_context(|| format!("the report has no result for {name}"))
}

/// The status of one of an object's conditions.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)?["status"]
        .as_str()
}
