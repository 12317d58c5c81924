//! `cargo xtask bench`: what takes time, measured on optimised builds.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;

#[derive(Args)]
pub struct BenchArgs {
    /// The program to measure
    subject: Subject,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// The diagnosis of windows of up to 16,384 links and 4,096 drop keys
    Diagnose,
}

/// Builds the benchmark optimised and runs it; it prints a table and judges nothing, because machines differ.
pub fn bench(workspace: &Workspace, args: &BenchArgs) -> Result<ExitCode> {
    let Subject::Diagnose = args.subject;
    let arguments = "run --quiet --release --package netdiag-diagnosis --example bench";
    let status = Command::new("cargo")
        .args(arguments.split(' '))
        .current_dir(&workspace.root)
        .status()
        .context("failed to run cargo")?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(ExitCode::SUCCESS)
}
