//! A node under diagnosis in a cluster.

use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use netdiag_crds::report::Window;
use netdiag_e2e::cluster;
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::lab::Node;
use netdiag_e2e::process::Process;
use serde_json::{Value, json};

use crate::CONTROL_PLANE;
use crate::outcome::Outcome;
use crate::scenarios::{Agent, Outlived};

/// Seconds for the agent to read its second counters and for the controller to roll up.
const AFTER_THE_WINDOW: u64 = 180;

/// A node with its agent, in a cluster with its controller.
pub struct Diagnosed {
    pub node: Node,
    pub kubectl: Kubectl,
    pub agent: Process,
    pub controller: Process,
}

impl Diagnosed {
    /// Starts node, agent and controller; `name` is the node's, and unique among tests.
    pub fn node(name: &str) -> Self {
        let kubectl = CONTROL_PLANE.kubectl();
        let node = Node::new(name).unwrap();
        kubectl.create_node(name, &json!({})).unwrap();
        let agent = node.start_agent(&CONTROL_PLANE).unwrap();
        let controller = cluster::start_controller(&CONTROL_PLANE).unwrap();
        Self {
            node,
            kubectl,
            agent,
            controller,
        }
    }

    /// Applies a diagnosis named after the node, makes the fault once its window has begun, and waits for the end.
    ///
    /// # Errors
    /// When the fault fails, or takes longer than the window ([`Outlived`]).
    pub fn diagnose<T>(
        &self,
        seconds: u64,
        fault: impl FnOnce(Agent) -> Result<T>,
    ) -> Result<(T, Outcome)> {
        let name = self.node.name();
        let manifest = cluster::once(name, &[name], seconds).to_string();
        self.kubectl.apply(&manifest)?;
        cluster::wait_until_running(&self.kubectl, name, name)?;
        let made = fault(Agent(self.agent.id()))?;
        let ended = SystemTime::now();
        let limit = Duration::from_secs(seconds + AFTER_THE_WINDOW);
        let diagnosis = cluster::wait_until_complete(&self.kubectl, name, limit)?;
        let result = cluster::result(&self.kubectl, name, name)?;
        self.agent.check_running()?;
        self.controller.check_running()?;
        let window: Window = serde_json::from_value(result["window"].clone())?;
        // Its end is told when all is read; what counts had been counted by the time that it was to end.
        let length = Duration::from_secs(window.duration_seconds.try_into()?);
        if ended >= SystemTime::from(window.start_time.0) + length {
            bail!(Outlived);
        }
        let evidence = Value::Null;
        let outcome = Outcome {
            diagnosis,
            result,
            evidence,
            recording: None,
        };
        Ok((made, outcome))
    }
}
