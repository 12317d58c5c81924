//! Formatting, English, circles of imports and clippy, with warnings as errors.

mod cycles;
mod english;
mod files;
mod modules;
mod prose;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build;
use crate::job::Job;
use crate::setup;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The checks, the fast ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// rustfmt
    Fmt,
    /// Words and doc comments
    English,
    /// Files that import each other
    Cycles,
    /// clippy on all targets
    Clippy,
}

#[derive(Args)]
pub struct LintArgs {
    /// The check to run [default: all]
    check: Option<Check>,
}

/// A check that has run.
pub struct Judged {
    pub name: &'static str,
    pub took: Duration,
    /// The output of a check that failed.
    pub complaint: Option<String>,
}

impl Check {
    pub const ALL: [Self; 4] = [Self::Fmt, Self::English, Self::Cycles, Self::Clippy];

    /// Runs it. `ebpf` must be what the build was told.
    pub fn run(self, workspace: &Workspace, ebpf: bool) -> Result<Judged> {
        match self {
            Self::Fmt => {
                let mut fmt = workspace.cargo();
                fmt.args(["fmt", "--all", "--check"]);
                run_program(workspace, "fmt", fmt)
            }
            Self::English => judged("english", || english::check_folder(&workspace.root)),
            Self::Cycles => judged("cycles", || cycles::check_folder(&workspace.root)),
            Self::Clippy => {
                let mut clippy = workspace.cargo();
                clippy.args(["clippy", "--workspace", "--exclude", "netdiag-ebpf"]);
                build::agent_setting(workspace, &mut clippy, ebpf)?;
                clippy.args(["--all-targets", "--locked", "--", "--deny", "warnings"]);
                run_program(workspace, "clippy", clippy)
            }
        }
    }
}

fn run_program(workspace: &Workspace, name: &'static str, command: Command) -> Result<Judged> {
    let ended = Job::new(workspace, name, command, LIMIT).run()?;
    Ok(Judged {
        name,
        took: ended.took,
        complaint: (!ended.success).then(|| ended.excerpt()),
    })
}

fn judged(name: &'static str, check: impl FnOnce() -> Result<Vec<String>>) -> Result<Judged> {
    let begin = Instant::now();
    let found = check()?;
    Ok(Judged {
        name,
        took: begin.elapsed(),
        complaint: (!found.is_empty()).then(|| found.join("\n")),
    })
}

/// `cargo xtask lint`.
pub fn lint(workspace: &Workspace, args: &LintArgs) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for check in Check::ALL {
        if args.check.is_some_and(|only| only != check) {
            continue;
        }
        let judged = check.run(workspace, setup::ebpf_ready(workspace))?;
        let name = judged.name;
        if let Some(complaint) = judged.complaint {
            eprintln!("{complaint}\n{name}: FAILED");
            code = ExitCode::FAILURE;
        } else {
            eprintln!("{name}: ok ({:.1} s)", judged.took.as_secs_f64());
        }
    }
    Ok(code)
}
