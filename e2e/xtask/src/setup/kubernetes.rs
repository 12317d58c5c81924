//! Builds Kubernetes' programs from Go modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::control_plane::{PACKAGES, folder, has_programs, is_present, linker_flags};
use super::{Need, Step, cache, golang};
use crate::workspace::Workspace;

pub const BINARIES: Step = Step {
    name: "control plane",
    need: Need::ControlPlane,
    purpose: "a private Kubernetes API server and Helm, built once (4 minutes on two idle cores) and kept in the cache",
    obstacle: |_| None,
    present: is_present,
    commands: |workspace| {
        let output = cache::unfinished(&folder(workspace)?);
        Ok(vec![go_build(
            workspace,
            &PACKAGES.map(str::to_owned),
            &output,
        )])
    },
    finish: |workspace| {
        let finished = folder(workspace)?;
        let built = cache::unfinished(&finished);
        fs::rename(built.join("server"), built.join("etcd")).context("failed to name etcd")?;
        cache::finish(&finished, has_programs)
    },
};

/// The command that builds these packages of the Go module into a folder.
pub fn go_build(workspace: &Workspace, packages: &[String], output: &Path) -> Command {
    // Before the Go step ran, this is the command that it will be.
    let go = golang::go(workspace).unwrap_or_else(|| PathBuf::from("go"));
    let mut build = workspace.command(go);
    build.current_dir(workspace.root.join("e2e/kubernetes"));
    build.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
    build.args(["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags"]);
    build.arg(linker_flags()).arg("-o").arg(output.join("")); // ends in a slash, so go makes the folder
    build.args(packages);
    build
}
