//! Where the programs under test and the control plane's are.
//!
//! `cargo xtask` sets these variables; by hand they are as easily set.

use std::env;
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

fn from_environment(variable: &str) -> Result<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set; `cargo xtask test` sets it"))
}

/// `etcd`, `kube-apiserver` or `kubectl` from the folder `KUBEBUILDER_ASSETS`, else from PATH.
pub fn kubernetes(program: &str) -> Command {
    match env::var_os("KUBEBUILDER_ASSETS") {
        Some(folder) => Command::new(PathBuf::from(folder).join(program)),
        None => Command::new(program),
    }
}
