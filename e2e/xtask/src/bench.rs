//! `cargo xtask bench`: what takes time, measured on optimised builds.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::workspace::Workspace;

#[derive(Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// The diagnosis of windows of up to 16,384 links and 4,096 drop keys
    Diagnose,
    /// The drop probe for each drop, against a program that does nothing (needs root)
    Drop,
    /// The controller and the API server, for fleets of several sizes
    Fleet(FleetArgs),
}

#[derive(Args)]
struct FleetArgs {
    /// Sizes of the fleet, by commas
    #[arg(long, default_value = "100,1000,5000")]
    nodes: String,
    /// Diagnoses that are applied together
    #[arg(long, default_value = "1")]
    diagnoses: String,
    /// Seconds of a window
    #[arg(long, default_value = "10")]
    window: String,
}

/// Builds a benchmark optimised and runs it; it prints a table and judges nothing, because machines differ.
pub fn bench(workspace: &Workspace, args: &BenchArgs) -> Result<ExitCode> {
    match &args.subject {
        Subject::Diagnose => cargo(
            workspace,
            "run --quiet --release --package netdiag-diagnosis --example bench",
            &[],
        ),
        // The eBPF programs are optimised in each build.
        Subject::Drop => cargo(
            workspace,
            "test --quiet --package netdiag-agent --lib -- --ignored --nocapture cost_of_a_watched_drop",
            &[],
        ),
        Subject::Fleet(fleet) => {
            cargo(
                workspace,
                "build --profile image --package netdiag-controller",
                &[],
            )?;
            let FleetArgs {
                nodes,
                diagnoses,
                window,
            } = fleet;
            let sizes = [
                "--",
                "--nodes",
                nodes,
                "--diagnoses",
                diagnoses,
                "--window",
                window,
            ];
            let run = "run --profile image --package netdiag-e2e --example fleet";
            cargo(workspace, run, &sizes)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn cargo(workspace: &Workspace, arguments: &str, more: &[&str]) -> Result<()> {
    // No benchmark loads eBPF programs.
    let status = Command::new("cargo")
        .args(arguments.split(' '))
        .args(more)
        .current_dir(&workspace.root)
        .env("AYA_BUILD_SKIP", "1")
        .env(
            "NETDIAG_CONTROLLER",
            workspace.target.join("image/netdiag-controller"),
        )
        .status()
        .context("failed to run cargo")?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(())
}
