//! A command, or a shell, that reaches the cluster.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use netdiag_e2e::programs;

use crate::record::{Reach, Record};

/// Becomes the command; without one, the user's shell.
pub fn shell(folder: &Path, command: &[String]) -> Result<()> {
    let Reach {
        network,
        kubeconfig,
        programs: found,
    } = Record::up(folder)?;
    let usual = || env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned());
    let (program, arguments) = match command.split_first() {
        Some((program, arguments)) => (program.clone(), arguments),
        None => (usual(), &[][..]),
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = found.into_iter().chain(env::split_paths(&path)).collect();
    let mut inside = programs::inside(&network, program);
    inside
        .args(arguments)
        .env("PATH", env::join_paths(folders).context("PATH is odd")?)
        // kubectl's notes of what a server serves are kept by its address, which the next cluster may have too.
        .env("KUBECACHEDIR", kubeconfig.with_extension("cache"))
        .env("KUBECONFIG", &kubeconfig);
    Err(inside.exec()).context("failed to run a command in the cluster's network")
}
