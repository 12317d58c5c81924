//! The real kubectl, because what it prints is what people see.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{process, programs};

/// kubectl with the rights of one kubeconfig file.
pub struct Kubectl {
    kubeconfig: PathBuf,
    namespace: Option<String>,
}

impl Kubectl {
    /// Takes a kubeconfig file.
    pub fn new(kubeconfig: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_path_buf(),
            namespace: None,
        }
    }

    /// The same from inside a network namespace, where the API server is.
    pub fn inside(mut self, namespace: Option<&str>) -> Self {
        self.namespace = namespace.map(str::to_owned);
        self
    }

    /// Runs it; the standard output, or an error with what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with_input(arguments, "")
    }

    /// Runs it with `input` as standard input (`-f -`).
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        process::run_with_input(self.command().args(arguments), input)
    }

    /// `kubectl apply` of YAML or JSON text. Refusals come back as the error's text.
    pub fn apply(&self, text: &str) -> Result<String> {
        self.run_with_input(&["apply", "-f", "-"], text)
    }

    /// Applies a list as Argo CD does: server-side, as the owner of its fields.
    pub fn apply_as_argocd(&self, list: &str) -> Result<String> {
        self.run_with_input(
            &[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--field-manager=argocd-controller",
                "-f",
                "-",
            ],
            list,
        )
    }

    /// `kubectl get -o json`.
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        serde_json::from_str(&self.run(&arguments)?).context("kubectl printed no JSON")
    }

    /// Installs custom resource definitions and waits until they are served.
    pub fn install_crds(&self, text: &str) -> Result<()> {
        self.apply(text)?;
        let wait = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=30s",
        ];
        self.run(&wait).map(drop)
    }

    /// Makes a Node that is Ready, as a kubelet would have reported it.
    pub fn create_node(&self, name: &str, labels: &Value) -> Result<()> {
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": name, "labels": labels },
        });
        self.apply(&node.to_string())?;
        let ready = json!({ "status": { "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "made by a test",
        }] } });
        let patch = ready.to_string();
        self.run(&[
            "patch",
            "node",
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ])
        .map(drop)
    }

    /// A token of a service account in namespace `namespace`, bound to a pod where one is named: such
    /// a token carries the pod's node.
    pub fn token(&self, namespace: &str, account: &str, pod: Option<&str>) -> Result<String> {
        let mut arguments = vec!["create", "token", account, "-n", namespace];
        if let Some(pod) = pod {
            arguments.extend(["--bound-object-kind", "Pod", "--bound-object-name", pod]);
        }
        Ok(self.run(&arguments)?.trim().to_owned())
    }

    fn command(&self) -> Command {
        let mut command = programs::kubernetes_in(self.namespace.as_deref(), "kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        // Its discovery cache is keyed only by address, and the next control plane may get the same port.
        command
            .arg("--cache-dir")
            .arg(self.kubeconfig.with_extension("cache"));
        command
    }
}
