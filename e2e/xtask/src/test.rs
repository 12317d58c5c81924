//! `cargo xtask test`: set up, build once, run the suites, end with a table.

use std::env;
use std::fs;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::build::{self, Built};
use crate::codegen;
use crate::dist;
use crate::fuzz;
use crate::guests::{self, Choice};
use crate::image;
use crate::job;
use crate::lint;
use crate::machine::Machine;
use crate::offline;
use crate::setup::{self, Need, Outcome};
use crate::slow::Slow;
use crate::suites::{self, Suite};
use crate::table::{Row, Table};
use crate::tests_output::Counts;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct TestArgs {
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Start with empty, temporary cache and target folders
    #[arg(long)]
    cold: bool,
    /// Make the suites slow, and lift their limits of time
    #[arg(long, value_enum, requires = "suites")]
    slow: Option<Slow>,
    /// Suites to run; without any: all
    #[arg(value_enum)]
    suites: Vec<Suite>,
    /// Run only tests with this in their names
    #[arg(skip)]
    filter: String,
}

impl TestArgs {
    /// One suite, and of it the tests with `filter` in their names.
    pub fn of(suite: Suite, filter: String, yes: bool) -> Self {
        Self {
            yes,
            cold: false,
            slow: None,
            suites: vec![suite],
            filter,
        }
    }
}

/// Runs the suites. Fails when a test failed, or, in CI, when a suite was skipped. Single tests may skip themselves:
/// kernels differ.
pub fn test(mut workspace: Workspace, args: &TestArgs) -> Result<ExitCode> {
    let cold = env::temp_dir().join(format!("netdiag-cold-{}", std::process::id()));
    if args.cold {
        workspace = workspace.with_folders_in(&cold);
        eprintln!("cache and target folders: {}", cold.display());
    }
    let machine = Machine::look();
    let started = Instant::now();
    let result = run(&workspace, &machine, args);
    if args.cold {
        fs::remove_dir_all(&cold)
            .with_context(|| format!("failed to remove {}", cold.display()))?;
    }
    let table = result?;
    println!("\n{table}\n{} s in all", started.elapsed().as_secs());
    let skips_fail = machine.ci && table.suites_skipped() > 0;
    if skips_fail {
        println!("FAILED: in CI no suite may be skipped");
    }
    println!("{}", table.closing_line());
    Ok(if table.failed() > 0 || skips_fail {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn run(workspace: &Workspace, machine: &Machine, args: &TestArgs) -> Result<Table> {
    let suites = if args.suites.is_empty() {
        &Suite::USUAL
    } else {
        args.suites.as_slice()
    };
    let outcome = set_up(workspace, machine, suites, args.yes)?;
    let ebpf = setup::ebpf_ready(workspace);
    let mut table = Table::default();
    let built = build::everything(workspace, ebpf);
    job::check_interrupted()?;
    match &built {
        Ok(built) => {
            let made = if built.fresh { "cached" } else { "built" };
            table.0.push(Row::made("build", built.took, made));
        }
        Err(error) => {
            eprintln!("{error:#}");
            let row = Row::failed("build", Duration::ZERO, "does not compile");
            table.0.push(row);
        }
    }
    let _slowed = args.slow.map(Slow::begin).transpose()?;
    let run = Run {
        workspace,
        machine,
        args,
        outcome: &outcome,
        ebpf,
        built: &built,
    };
    thread::scope(|scope| -> Result<()> {
        let mut beside = None;
        for &suite in suites {
            eprintln!("{} ..", suite.name());
            if suite == Suite::Live && has_guests_beside(suites, args.slow) {
                eprintln!("{} beside it ..", Suite::Kernels.name());
                beside = Some(scope.spawn(|| run.rows(Suite::Kernels)));
            }
            let rows = match beside.take_if(|_| suite == Suite::Kernels) {
                Some(guests) => guests.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                None => run.rows(suite)?,
            };
            for row in rows {
                eprintln!("{}: {}", row.step, verdict(&row.counts));
                table.0.push(row);
            }
        }
        Ok(())
    })?;
    table.0.splice(0..0, outcome.rows);
    Ok(table)
}

/// The facts that all suites of a run share.
struct Run<'a> {
    workspace: &'a Workspace,
    machine: &'a Machine,
    args: &'a TestArgs,
    outcome: &'a Outcome,
    ebpf: bool,
    built: &'a Result<Built>,
}

impl Run<'_> {
    fn rows(&self, suite: Suite) -> Result<Vec<Row>> {
        let workspace = self.workspace;
        let built = match (suite, self.built) {
            (Suite::Lint, _) => return lint_rows(workspace, self.ebpf),
            (Suite::Fuzz, _) => return fuzz::rows(workspace),
            (_, Ok(built)) => built,
            (_, Err(_)) => {
                let why = "no test program";
                return Ok(vec![Row::failed(suite.name(), Duration::ZERO, why)]);
            }
        };
        if suite == Suite::Codegen {
            return Ok(vec![codegen_row(workspace, built)]);
        }
        if let Some(why) = obstacle(suite, self.machine, self.outcome) {
            return Ok(vec![Row::skipped(suite.name(), &why)]);
        }
        if suite == Suite::Kernels {
            return Ok(kernel_rows(workspace, built));
        }
        match left_out(workspace, suite, self.args) {
            Some(row) => Ok(vec![row]),
            None => suite_rows(workspace, suite, &self.args.filter, built),
        }
    }
}

/// True if guests run beside the suites on the running kernel: both wait more than they work. What is slow on purpose
/// runs one after the other.
fn has_guests_beside(suites: &[Suite], slow: Option<Slow>) -> bool {
    suites.contains(&Suite::Kernels) && slow.is_none()
}

fn set_up(
    workspace: &Workspace,
    machine: &Machine,
    suites: &[Suite],
    agreed: bool,
) -> Result<Outcome> {
    let mut needs: Vec<Need> = Vec::new();
    for suite in suites {
        if suite.is_live() && machine.no_live_tests.is_some() {
            continue; // it cannot run here, whatever is installed
        }
        needs.extend(suite.needs());
    }
    setup::set_up(workspace, machine, &needs, agreed)
}

fn obstacle(suite: Suite, machine: &Machine, outcome: &Outcome) -> Option<String> {
    if suite.is_live()
        && let Some(why) = &machine.no_live_tests
    {
        return Some(why.clone());
    }
    let mut needs = suite.needs().iter();
    needs
        .find_map(|need| outcome.lack(*need))
        .map(str::to_owned)
}

/// The row of a suite that this run does without. No other suite is one that a run in CI may leave out, so it counts as
/// one test that was skipped, and not as a suite.
fn left_out(workspace: &Workspace, suite: Suite, args: &TestArgs) -> Option<Row> {
    let (test, why) = match suite {
        // No set-up brings what a mirror does not have.
        Suite::Arm64 => ("the agent for arm64", offline::no_arm64(workspace)?),
        Suite::Dockerfile if args.suites.is_empty() && !image::build_changed(workspace) => (
            "images compiled as they are shipped",
            "the last commit changes none of the files that decide how; `cargo xtask test dockerfile` compiles them"
                .to_owned(),
        ),
        _ => return None,
    };
    let mut row = Row::made(suite.name(), Duration::ZERO, "");
    row.counts.skipped.push((test.to_owned(), why));
    Some(row)
}

/// A row for the images that a suite starts, then that of its tests.
fn suite_rows(
    workspace: &Workspace,
    suite: Suite,
    filter: &str,
    built: &Built,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut folder = None;
    if let Some(kind) = suite.images() {
        let images = image::ready(workspace, kind, built);
        job::check_interrupted()?;
        match images {
            Ok(images) => {
                let made = if images.fresh { "cached" } else { "built" };
                let step = format!("{} images", suite.name());
                rows.push(Row::made(&step, images.took, made));
                folder = Some(images.folder);
            }
            Err(error) => {
                eprintln!("{error:#}");
                let why = "its images were not built";
                return Ok(vec![Row::failed(suite.name(), Duration::ZERO, why)]);
            }
        }
    }
    let mut variables = suites::environment(workspace, suite, folder.as_deref())?;
    if suite == Suite::Cluster
        && let Some(images) = &folder
    {
        match dist::around(workspace, images) {
            Ok(release) => variables.push(("NETDIAG_RELEASE", release)),
            // Its test says that it has none.
            Err(error) => eprintln!("no folder like that of a release: {error:#}"),
        }
    }
    rows.push(suites::run(workspace, suite, filter, built, |command| {
        command.envs(variables.iter().cloned());
        command.envs(built.environment());
    })?);
    Ok(rows)
}

fn kernel_rows(workspace: &Workspace, built: &Built) -> Vec<Row> {
    match guests::run(workspace, built, &Choice::Ci, guests::LIMIT) {
        Ok(outcomes) => guests::rows(&outcomes),
        Err(error) => {
            let name = Suite::Kernels.name();
            vec![Row::failed(name, Duration::ZERO, format!("{error:#}"))]
        }
    }
}

fn lint_rows(workspace: &Workspace, ebpf: bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for check in lint::Check::ALL {
        let judged = check.run(workspace, ebpf)?;
        if let Some(complaint) = judged.complaint {
            eprintln!("{complaint}");
            rows.push(Row::failed(judged.name, judged.took, "see above"));
        } else {
            let mut row = Row::made(judged.name, judged.took, "");
            row.counts.passed = 1;
            rows.push(row);
        }
    }
    Ok(rows)
}

fn codegen_row(workspace: &Workspace, built: &Built) -> Row {
    let name = Suite::Codegen.name();
    match codegen::check(workspace, built) {
        Ok(()) => {
            let mut row = Row::made(name, Duration::ZERO, "");
            row.counts.passed = 1;
            row
        }
        Err(error) => Row::failed(name, Duration::ZERO, format!("{error:#}")),
    }
}

fn verdict(counts: &Counts) -> String {
    let word = if counts.failed > 0 { "FAILED" } else { "ok" };
    format!(
        "{word}, {} passed, {} failed, {} skipped",
        counts.passed,
        counts.failed,
        counts.skipped.len()
    )
}
