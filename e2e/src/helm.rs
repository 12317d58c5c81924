//! The real helm, and the chart of this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{process, programs};

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/netdiag");

/// The value that every release needs: where its images are.
pub const IMAGES: [&str; 2] = ["--set", "image.registry=localhost"];

/// helm with the rights of one kubeconfig file, in one namespace.
pub struct Helm {
    kubeconfig: PathBuf,
    namespace: &'static str,
    network: Option<String>,
}

impl Helm {
    /// Takes a kubeconfig file.
    pub fn new(kubeconfig: &Path, namespace: &'static str) -> Self {
        Self {
            kubeconfig: kubeconfig.to_path_buf(),
            namespace,
            network: None,
        }
    }

    /// The same from inside a network namespace, where the API server is.
    pub fn inside(mut self, network: Option<&str>) -> Self {
        self.network = network.map(str::to_owned);
        self
    }

    /// Runs it; the standard output, or an error with what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command(self.network.as_deref());
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command.args(["--namespace", self.namespace]);
        process::run(command.args(arguments))
    }
}

/// Asks helm about the chart without a cluster: `lint`, `template`.
pub fn about_chart(verb: &str, arguments: &[&str]) -> Result<String> {
    process::run(
        command(None)
            .args([verb, CHART])
            .args(IMAGES)
            .args(arguments),
    )
}

/// The objects of a release called `netdiag` of a chart, with no values except these, as YAML.
pub fn objects(chart: &str, values: &str) -> Result<Vec<Value>> {
    let arguments = [
        "template",
        "netdiag",
        chart,
        "--namespace=netdiag-system",
        "--values=-",
    ];
    let text = process::run_with_input(command(None).args(arguments), values)?;
    let documents = text.split("\n---\n").filter(|text| text.contains("kind:"));
    documents
        .map(|text| {
            let text = text.trim_start_matches("---\n");
            serde_yaml::from_str(text).with_context(|| format!("no YAML: {text}"))
        })
        .collect()
}

/// The chart as tools for GitOps apply it, as one list: without the objects of `helm test`, and without Leases, which
/// Argo CD excludes.
pub fn rendered_for_gitops(values: &str) -> Result<String> {
    let is_applied = |object: &Value| {
        let is_hook = !object["metadata"]["annotations"]["helm.sh/hook"].is_null();
        !is_hook && object["kind"] != "Lease"
    };
    let mut objects = objects(CHART, values)?;
    objects.retain(is_applied);
    Ok(json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string())
}

fn command(network: Option<&str>) -> Command {
    let mut command = programs::kubernetes_in(network, "helm");
    // No plugins, repositories or settings of the user that runs the tests.
    for (variable, folder) in [
        ("HELM_CONFIG_HOME", "config"),
        ("HELM_CACHE_HOME", "cache"),
        ("HELM_DATA_HOME", "data"),
    ] {
        command.env(
            variable,
            std::env::temp_dir().join("netdiag-helm").join(folder),
        );
    }
    command
}
