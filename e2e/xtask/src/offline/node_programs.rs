//! Kubernetes' programs of real nodes, built once from Go modules.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::setup::{Need, Step, cache, control_plane, kubernetes};
use crate::workspace::Workspace;

const PROGRAMS: [&str; 4] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
];
/// Network plugins, by their paths in their module; containerd looks for them in a folder of their own.
const PLUGINS: [&str; 4] = [
    "main/bridge",
    "main/loopback",
    "ipam/host-local",
    "meta/portmap",
];

pub const BINARIES: Step = Step {
    name: "node programs",
    need: Need::Nodes,
    purpose: "kubelet, kube-proxy, scheduler and controllers, built once (2 minutes after the control plane) and kept",
    obstacle: |_| None,
    present: |workspace| folder(workspace).is_ok_and(|folder| folder.exists()),
    commands: |workspace| {
        let output = cache::unfinished(&folder(workspace)?);
        Ok(vec![kubernetes::go_build(workspace, &packages(), &output)])
    },
    finish: |workspace| {
        let finished = folder(workspace)?;
        let built = cache::unfinished(&finished);
        let plugins = built.join("cni");
        fs::create_dir_all(&plugins).context("failed to make a folder for network plugins")?;
        for plugin in PLUGINS {
            let name = plugin.rsplit('/').next().unwrap_or(plugin);
            fs::rename(built.join(name), plugins.join(name))
                .with_context(|| format!("failed to move {name}"))?;
        }
        cache::finish(&finished, |folder| {
            PROGRAMS
                .iter()
                .all(|program| folder.join(program).is_file())
        })
    },
};

/// The folder with the programs, and `cni` with the plugins in it.
pub fn folder(workspace: &Workspace) -> Result<PathBuf> {
    control_plane::cached(workspace, "kubernetes-nodes", &packages())
}

fn packages() -> Vec<String> {
    let programs = PROGRAMS.map(|name| format!("k8s.io/kubernetes/cmd/{name}"));
    let plugins =
        PLUGINS.map(|path| format!("github.com/containernetworking/plugins/plugins/{path}"));
    programs.into_iter().chain(plugins).collect()
}
