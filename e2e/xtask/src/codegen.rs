//! Generated files that are committed, and the check that they are up to date.

mod values;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::{self, Built};
use crate::machine::output_of;
use crate::workspace::Workspace;

/// A committed file, or a part of one, that is written by a program or from another file.
struct Generated {
    file: &'static str,
    source: Source,
    /// The part lies between the lines [`BEGIN`] and [`END`]; the rest is written by hand.
    is_part: bool,
}

#[derive(Clone, Copy)]
enum Source {
    /// The output of a program of the workspace.
    Program {
        name: &'static str,
        argument: Option<&'static str>,
    },
    /// The tables of the values that this file explains.
    Values(&'static str),
}

/// In the order in which they are made: crdgen is built from the list of the checks.
const FILES: [Generated; 7] = [
    whole("crds/src/checks/list.rs", "checkgen", Some("list")),
    whole("docs/checks/README.md", "checkgen", Some("index")),
    Generated {
        is_part: true,
        ..whole("README.md", "checkgen", Some("table"))
    },
    whole("crds/netdiag.dev.yaml", "crdgen", None),
    // A chart may only read files of its own folder.
    whole("charts/netdiag/files/netdiag.dev.yaml", "crdgen", None),
    whole("docs/api.md", "crdgen", Some("reference")),
    Generated {
        file: "charts/netdiag/README.md",
        source: Source::Values("charts/netdiag/values.yaml"),
        is_part: true,
    },
];

const BEGIN: &str = "<!-- written by cargo xtask codegen -->";
const END: &str = "<!-- end -->";

const fn whole(
    file: &'static str,
    name: &'static str,
    argument: Option<&'static str>,
) -> Generated {
    Generated {
        file,
        source: Source::Program { name, argument },
        is_part: false,
    }
}

#[derive(Args)]
pub struct CodegenArgs {
    /// Write nothing; fail if a file is out of date
    #[arg(long)]
    check: bool,
}

/// `cargo xtask codegen`.
pub fn codegen(workspace: &Workspace, args: &CodegenArgs) -> Result<ExitCode> {
    if args.check {
        let built = build::binaries(workspace, &["netdiag-diagnosis", "netdiag-crds"])?;
        check(workspace, &built)?;
        return Ok(ExitCode::SUCCESS);
    }
    for (package, program) in [
        ("netdiag-diagnosis", "checkgen"),
        ("netdiag-crds", "crdgen"),
    ] {
        let built = build::binaries(workspace, &[package])?;
        for generated in &FILES {
            if matches!(generated.source, Source::Program { name, .. } if name == program) {
                generated.write(workspace, Some(&built))?;
            }
        }
    }
    for generated in &FILES {
        if matches!(generated.source, Source::Values(_)) {
            generated.write(workspace, None)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails when a committed file differs from what the types give.
pub fn check(workspace: &Workspace, built: &Built) -> Result<()> {
    for generated in &FILES {
        let committed = generated.committed(workspace)?;
        if let Some(line) =
            first_difference(&committed, &generated.content(workspace, Some(built))?)
        {
            let file = generated.file;
            bail!("{file} is out of date from line {line} on: run cargo xtask codegen");
        }
    }
    Ok(())
}

impl Generated {
    fn committed(&self, workspace: &Workspace) -> Result<String> {
        let path = workspace.root.join(self.file);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    }

    fn write(&self, workspace: &Workspace, built: Option<&Built>) -> Result<()> {
        let path = workspace.root.join(self.file);
        fs::write(&path, self.content(workspace, built)?)
            .with_context(|| format!("failed to write {}", path.display()))?;
        eprintln!("wrote {}", self.file);
        Ok(())
    }

    /// The whole file as it should be. `built` holds the program that writes it, where there is one.
    fn content(&self, workspace: &Workspace, built: Option<&Built>) -> Result<String> {
        let text = match self.source {
            Source::Program { name, argument } => {
                let built = built.context("no program was built")?;
                let mut command = workspace.command(built.required_binary(name)?);
                output_of(command.args(argument)).with_context(|| format!("{name} failed"))?
            }
            Source::Values(file) => {
                let values = fs::read_to_string(workspace.root.join(file))
                    .with_context(|| format!("failed to read {file}"))?;
                values::tables(&values)?
            }
        };
        if !self.is_part {
            return Ok(text + "\n");
        }
        let committed = self.committed(workspace)?;
        with_part(&committed, &text)
            .with_context(|| format!("{} lacks the lines {BEGIN} and {END}", self.file))
    }
}

/// The file with this text between its two marks.
fn with_part(file: &str, text: &str) -> Option<String> {
    let (before, rest) = file.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}\n{END}{after}"))
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
    fn a_part_is_replaced_between_its_marks() {
        let file = format!("# A\n{BEGIN}\nold\n{END}\nrest\n");
        let new = format!("# A\n{BEGIN}\nnew\n{END}\nrest\n");
        assert_eq!(with_part(&file, "new"), Some(new));
        assert_eq!(with_part("# A\n", "new"), None);
    }

    #[test]
    fn a_difference_is_found_by_its_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    }
}
