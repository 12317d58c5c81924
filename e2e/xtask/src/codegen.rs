//! Generated files that are committed, and the check that they are up to date.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::{self, Built};
use crate::machine::output_of;
use crate::workspace::Workspace;

/// The custom resource definitions, for `kubectl apply` without a chart.
const CRDS: &str = "crds/netdiag.dev.yaml";

#[derive(Args)]
pub struct CodegenArgs {
    /// Write nothing; fail if a file is out of date
    #[arg(long)]
    check: bool,
}

/// `cargo xtask codegen`.
pub fn codegen(workspace: &Workspace, args: &CodegenArgs) -> Result<ExitCode> {
    let built = build::binaries(workspace, &["netdiag-crds"])?;
    if args.check {
        check(workspace, &built)?;
    } else {
        let path = workspace.root.join(CRDS);
        fs::write(&path, generate(workspace, &built)?)
            .with_context(|| format!("failed to write {}", path.display()))?;
        eprintln!("wrote {CRDS}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails when a committed file differs from what the types give.
pub fn check(workspace: &Workspace, built: &Built) -> Result<()> {
    let path = workspace.root.join(CRDS);
    let committed =
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let line = first_difference(&committed, &generate(workspace, built)?);
    if let Some(line) = line {
        bail!("{CRDS} is out of date from line {line} on: run cargo xtask codegen");
    }
    Ok(())
}

fn generate(workspace: &Workspace, built: &Built) -> Result<String> {
    let crdgen: &Path = built.binary("crdgen").context("the build made no crdgen")?;
    let yaml = output_of(&mut workspace.command(crdgen)).context("crdgen failed")?;
    Ok(yaml + "\n")
}

/// The number of the first line that differs.
fn first_difference(left: &str, right: &str) -> Option<usize> {
    let (mut left, mut right) = (left.lines(), right.lines());
    for line in 1.. {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (left, right) if left != right => return Some(line),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_by_its_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    }
}
