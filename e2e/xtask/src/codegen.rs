//! Generated files that are committed, and the check that they are up to date.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::{self, Built};
use crate::machine::output_of;
use crate::workspace::Workspace;

/// Files by path, with the argument that makes crdgen print them.
const FILES: [(&str, Option<&str>); 3] = [
    ("crds/netdiag.dev.yaml", None),
    // A chart may only read files of its own folder.
    ("charts/netdiag/files/netdiag.dev.yaml", None),
    ("docs/api.md", Some("reference")),
];

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
        return Ok(ExitCode::SUCCESS);
    }
    for (file, argument) in FILES {
        let path = workspace.root.join(file);
        fs::write(&path, generate(workspace, &built, argument)?)
            .with_context(|| format!("failed to write {}", path.display()))?;
        eprintln!("wrote {file}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails when a committed file differs from what the types give.
pub fn check(workspace: &Workspace, built: &Built) -> Result<()> {
    for (file, argument) in FILES {
        let path = workspace.root.join(file);
        let committed = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let generated = generate(workspace, built, argument)?;
        if let Some(line) = first_difference(&committed, &generated) {
            bail!("{file} is out of date from line {line} on: run cargo xtask codegen");
        }
    }
    Ok(())
}

fn generate(workspace: &Workspace, built: &Built, argument: Option<&str>) -> Result<String> {
    let crdgen = built.binary("crdgen").context("the build made no crdgen")?;
    let mut command = workspace.command(crdgen);
    let text = output_of(command.args(argument)).context("crdgen failed")?;
    Ok(text + "\n")
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
