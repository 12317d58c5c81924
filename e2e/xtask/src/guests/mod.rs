//! `cargo xtask test-vm`: the kernel scenarios, on stock kernels in QEMU.

mod boots;
mod ci_set;
mod document;
mod exchange;
mod here;
mod kernel;
mod machine;
mod measures;
mod programs;
mod recordings;
mod results;
mod run;
mod score;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::build::{self, Built};
use crate::machine::Machine;
use crate::setup::{self, Need};
use crate::slow::{self, Slow};
use crate::table::Row;
use crate::tests_output::Counts;
use crate::workspace::Workspace;
use results::{Results, Verdict};
use run::Run;
use table::Table;

pub use kernel::Kernel;

pub const NEEDS: [Need; 2] = [Need::Ebpf, Need::Guests];
/// For all that a run boots; other suites or other work may go on beside it.
pub const LIMIT: Duration = Duration::from_secs(60 * 60);

#[derive(Args)]
pub struct TestVmArgs {
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Kernels to boot, separated by commas, with every scenario: 5.10, 6.18, 6.12-rt, newest ..; any series that Debian
    /// packages
    #[arg(long, value_delimiter = ',')]
    kernel: Vec<Kernel>,
    /// Run every scenario on the kernels 5.10, 6.1 and 6.12, and not what CI runs (e2e/kernels-in-ci.txt)
    #[arg(long, group = "whole", conflicts_with_all = ["kernel", "filter"])]
    all: bool,
    /// Run every scenario, or those chosen, on every kernel: also on 6.18, the newest one and real-time ones
    #[arg(long, group = "whole", conflicts_with = "kernel")]
    all_kernels: bool,
    /// Write docs/kernels.md from this run
    #[arg(long, requires = "whole", conflicts_with = "filter")]
    document: bool,
    /// Keep each passed scenario's recording in the testdata of its check, for the fast tests
    #[arg(long)]
    record: bool,
    /// Make guests slow, and lift the limits of time
    #[arg(long, value_enum)]
    slow: Option<Slow>,
    /// Run the scenarios on this machine's kernel instead, as far as they need no guest
    #[arg(long, conflicts_with_all = ["kernel", "all", "all_kernels"])]
    here: bool,
    /// Run only scenarios with this in their names, such as `bonds` or `faults::veth,checksums`, on 5.10, 6.1 and 6.12
    filter: Option<String>,
}

/// The scenarios that each kernel is to run.
pub type Plan = Vec<(Kernel, Vec<String>)>;

/// Chooses what runs.
pub enum Choice<'a> {
    /// The scenarios that CI boots.
    Ci,
    /// Each scenario with `filter` in its name, on each of these kernels.
    Every {
        kernels: &'a [Kernel],
        filter: &'a str,
    },
}

/// The result of one kernel.
pub struct Outcome {
    pub kernel: Kernel,
    /// `uname -r`.
    pub release: String,
    pub results: Results,
    /// Folders with what its scenarios recorded, one below for each check.
    pub recordings: Vec<PathBuf>,
    /// Of its guests together.
    pub took: Duration,
    /// The remark that people should read, such as a second boot.
    pub note: String,
}

/// `cargo xtask test-vm`: ends with a table.
pub fn test_vm(workspace: &Workspace, args: &TestVmArgs) -> Result<ExitCode> {
    let host = Machine::look();
    let failure = "guests cannot be set up";
    setup::require(workspace, &host, &NEEDS, args.yes, failure)?;
    eprintln!("building ..");
    let built = build::for_guests(workspace)?;
    let _slowed = args.slow.map(Slow::begin).transpose()?;
    let filter = args.filter.as_deref().unwrap_or_default();
    if args.here {
        return here::run(workspace, &host, &built, filter, args.record);
    }
    let choice = match &args.kernel[..] {
        [] if args.all_kernels => Choice::Every {
            kernels: &Kernel::ALL,
            filter,
        },
        [] if !args.all && filter.is_empty() => Choice::Ci,
        [] => Choice::Every {
            kernels: &Kernel::STABLE,
            filter,
        },
        kernels => Choice::Every { kernels, filter },
    };
    let outcomes = run(workspace, &built, &choice, LIMIT)?;
    let table = Table(&outcomes);
    println!("{table}");
    let failed = table.failed();
    if args.document && failed == 0 {
        document::write(workspace, &outcomes)?;
    }
    if args.record {
        for outcome in &outcomes {
            let kernel = recordings::folder_of(&outcome.release);
            recordings::keep(workspace, &kernel, &outcome.results, &outcome.recordings)?;
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs what was chosen, and shows what failed.
pub fn run(
    workspace: &Workspace,
    built: &Built,
    choice: &Choice<'_>,
    limit: Duration,
) -> Result<Vec<Outcome>> {
    let folder = workspace.run_folder().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {folder:?}"))?;
    let plan: Plan = match choice {
        Choice::Ci => ci_set::read(workspace, &programs::scenarios(workspace, built, "")?)?,
        Choice::Every { kernels, filter } => {
            let scenarios = programs::scenarios(workspace, built, filter)?;
            let planned = kernels.iter().map(|&kernel| (kernel, scenarios.clone()));
            planned.collect()
        }
    };
    for (kernel, _) in &plan {
        setup::make_kernel(workspace, *kernel)?;
    }
    let run = Run {
        workspace,
        images: &setup::images(workspace)?,
        programs: &programs::image(workspace, built, &folder)?,
        folder: &folder,
        deadline: Instant::now() + slow::limit(limit),
    };
    let outcomes = run.all(&plan)?;
    for outcome in &outcomes {
        for failure in outcome.results.failed() {
            eprintln!(
                "--- {} on {}\n{}",
                failure.name, outcome.release, failure.output
            );
        }
    }
    Ok(outcomes)
}

/// A row a kernel for the table of all suites.
pub fn rows(outcomes: &[Outcome]) -> Vec<Row> {
    let row = |outcome: &Outcome| {
        let mut counts = Counts::default();
        for scenario in &outcome.results.scenarios {
            match &scenario.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed => {
                    counts.failed += 1;
                    counts.failures.push(scenario.name.clone());
                }
                Verdict::Skipped(why) => {
                    counts.skipped.push((scenario.name.clone(), why.clone()));
                }
            }
        }
        Row {
            counts,
            note: outcome.note.clone(),
            ..Row::made(&format!("kernel {}", outcome.kernel), outcome.took, "")
        }
    };
    outcomes.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kernel_is_a_row_that_fails_with_its_scenarios() {
        let text = "test kernels::a ... ok\ntest kernels::b ... FAILED\ntest kernels::c ... ok\n\
            ---- kernels::c stdout ----\nSKIP c: no module\nexit=0\n";
        let outcome = Outcome {
            kernel: Kernel::V6_1,
            release: "6.1.0-50".to_owned(),
            results: Results::read(text),
            recordings: Vec::new(),
            took: Duration::from_secs(90),
            note: String::new(),
        };
        let rows = rows(&[outcome]);
        let [row] = &rows[..] else {
            panic!("{} rows", rows.len())
        };
        assert_eq!(row.step, "kernel 6.1");
        assert_eq!((row.counts.passed, row.counts.failed), (1, 1));
        assert_eq!(row.counts.failures, ["b"]);
        assert_eq!(
            row.counts.skipped,
            [("c".to_owned(), "no module".to_owned())]
        );
    }
}
