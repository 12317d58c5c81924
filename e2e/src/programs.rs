//! The paths of the programs under test and of the control plane's.
//!
//! `cargo xtask` sets these variables; by hand they are as easily set.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

/// `netdiag-agent`, by `NETDIAG_AGENT`.
pub fn agent() -> Result<PathBuf> {
    from_environment("NETDIAG_AGENT")
}

/// `netdiag-controller`, by `NETDIAG_CONTROLLER`.
pub fn controller() -> Result<PathBuf> {
    from_environment("NETDIAG_CONTROLLER")
}

/// `netdiag-lab`, which makes the scenarios' traffic: cargo puts it beside the program that uses it, or one folder above
/// a test.
pub fn lab() -> Result<PathBuf> {
    let own = env::current_exe().context("failed to find this program's own path")?;
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("netdiag-lab"))
        .find(|path| path.exists());
    found.context("there is no netdiag-lab beside this program; `cargo xtask test` builds it")
}

fn from_environment(variable: &str) -> Result<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set; `cargo xtask test` sets it"))
}

/// A program of real nodes: `kubelet`, `kube-proxy`, .., or the folder `cni` with network plugins; below the folder
/// `NETDIAG_NODE_PROGRAMS`.
pub fn node(program: &str) -> Result<PathBuf> {
    Ok(from_environment("NETDIAG_NODE_PROGRAMS")?.join(program))
}

/// The archive of an image, `netdiag-agent` or `netdiag-controller`, in the folder `NETDIAG_IMAGES`.
pub fn image(name: &str) -> Result<PathBuf> {
    Ok(from_environment("NETDIAG_IMAGES")?.join(format!("{name}.tar")))
}

/// A program of Kubernetes, as [`kubernetes`] finds it, inside a network namespace where one is named.
pub fn kubernetes_in(namespace: Option<&str>, program: &str) -> Command {
    let found = kubernetes(program);
    match namespace {
        None => found,
        Some(namespace) => inside(namespace, found.get_program()),
    }
}

/// A program inside a network namespace.
pub fn inside(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]);
    command.arg(program);
    command
}

/// `etcd`, `kube-apiserver`, `kubectl` or `helm` from the folder `KUBEBUILDER_ASSETS`, else from PATH.
pub fn kubernetes(program: &str) -> Command {
    match env::var_os("KUBEBUILDER_ASSETS") {
        Some(folder) => Command::new(PathBuf::from(folder).join(program)),
        None => Command::new(program),
    }
}
