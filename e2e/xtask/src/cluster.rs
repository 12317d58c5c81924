//! A cluster of real nodes for people, and the suite that runs on one.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::machine::Machine;
use crate::setup;
use crate::suites::{self, Suite};
use crate::test::{self, TestArgs};
use crate::workspace::Workspace;

#[derive(Args)]
pub struct ClusterArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start a control plane and two real nodes with the images of this checkout, and leave them running
    Up {
        /// Set up what is missing without asking
        #[arg(long)]
        yes: bool,
    },
    /// End them and remove all that they made, also after a crash
    Down,
    /// Open a shell, or run a command, that reaches the cluster with kubectl and helm
    Shell {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

#[derive(Args)]
pub struct TestClusterArgs {
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Run only tests with this in their names
    filter: Option<String>,
}

/// `cargo xtask cluster`: becomes the program that holds the cluster, or the one that ends it.
pub fn cluster(workspace: &Workspace, args: &ClusterArgs) -> Result<ExitCode> {
    let folder = workspace.cache.join("cluster");
    let mut command = match &args.action {
        Action::Up { yes } => up(workspace, *yes)?,
        Action::Down | Action::Shell { .. } => match program_of(&folder)? {
            Some(program) => workspace.command(program),
            None => {
                println!("No cluster is up; `cargo xtask cluster up` starts one.");
                return Ok(match args.action {
                    Action::Down => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                });
            }
        },
    };
    command.arg("--folder").arg(&folder);
    match &args.action {
        Action::Up { .. } => command.arg("up"),
        Action::Down => command.arg("down"),
        Action::Shell { command: inside } => command.arg("shell").arg("--").args(inside),
    };
    Err(command.exec()).context("failed to run the cluster's program")
}

/// `cargo xtask test-cluster`: only the suite, ending with a table.
pub fn test_cluster(workspace: Workspace, args: &TestClusterArgs) -> Result<ExitCode> {
    let filter = args.filter.clone().unwrap_or_default();
    test::test(workspace, &TestArgs::of(Suite::Cluster, filter, args.yes))
}

fn up(workspace: &Workspace, agreed: bool) -> Result<Command> {
    let machine = Machine::look();
    if let Some(why) = &machine.no_live_tests {
        bail!("nodes need network namespaces and eBPF: {why}");
    }
    let failure = "the cluster cannot be set up";
    setup::require(workspace, &machine, Suite::Cluster.needs(), agreed, failure)?;
    eprintln!("building agent, controller and what the cluster needs ..");
    suites::program(workspace, "netdiag-cluster", Suite::Cluster)
}

/// The part used here of what the cluster's process notes of itself.
#[derive(Deserialize)]
struct Record {
    program: PathBuf,
}

/// The program of the cluster that is up or was left behind, if there is one. It knows how to end what it made,
/// whatever this checkout has become, and whether or not it compiles.
fn program_of(folder: &Path) -> Result<Option<PathBuf>> {
    let path = folder.join("cluster.json");
    let Ok(text) = fs::read(&path) else {
        return Ok(None);
    };
    let record: Record = serde_json::from_slice(&text)
        .with_context(|| format!("failed to understand {}", path.display()))?;
    Ok(Some(record.program))
}
