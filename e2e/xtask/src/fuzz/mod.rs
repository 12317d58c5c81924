//! `cargo xtask fuzz`: build the crate `fuzz/` with coverage, run its targets, end with a table.
//!
//! LLVM's fuzzer learns from the program's coverage, which a pass of LLVM writes: stable Rust has that.

mod corpus;
mod output;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::build;
use crate::job::Job;
use crate::table::{Row, Table};
use crate::workspace::Workspace;
use output::Output;

/// The targets, as `fuzz/src/targets/mod.rs` names them.
const TARGETS: [&str; 9] = [
    "packet",
    "lldp",
    "cdp",
    "kernel-log",
    "netlink",
    "proc",
    "recording",
    "report",
    "diagnosis",
];
/// Set where this program stands in for rustc.
pub const COMPILES: &str = "XTASK_FUZZ_COMPILES";
/// Crates whose coverage guides the fuzzer. Those of others only cost time.
const MEASURED: [&str; 5] = [
    "netdiag_agent",
    "netdiag_client",
    "netdiag_controller",
    "netdiag_crds",
    "netdiag_diagnosis",
];
/// Coverage of edges, and of the operands of comparisons, from which the fuzzer learns what to try.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];
/// The setting by which [`build::agent_setting`] has everything linked, and the opposite.
const STATIC: &str = "target-feature=+crt-static";
const DYNAMIC: &str = "target-feature=-crt-static";
/// Levels of optimisation: the fuzzer runs at speed or it does not get far. The checks of arithmetic stay.
const OPTIMISED: [(&str, u8); 6] = [
    ("libfuzzer-sys", 3),
    ("netdiag-agent", 1),
    ("netdiag-controller", 1),
    ("netdiag-crds", 1),
    ("netdiag-diagnosis", 2),
    ("serde_json", 2),
];
/// Inputs of a target that is fuzzed without a limit of time, at least.
const LEAST_INPUTS: u64 = 1_000_000;
/// Seconds of all targets together in `cargo xtask test`.
const SECONDS_IN_CI: u64 = 120;
/// Ends a target whose coverage never stops to grow.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Args)]
pub struct FuzzArgs {
    /// Seconds for each target; absent: until the last tenth of at least a million inputs covered nothing new
    #[arg(long)]
    seconds: Option<u64>,
    /// Write the smallest inputs that reach what was reached into fuzz/corpus
    #[arg(long)]
    keep: bool,
    /// Targets to run; without any: all
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
}

/// Stands in for rustc: adds coverage to the crates that are measured.
pub fn compile() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(rustc) = arguments.next() else {
        return ExitCode::FAILURE;
    };
    let arguments: Vec<OsString> = arguments.collect();
    let has = |option: &str, value: &str| {
        let mut pairs = arguments.windows(2);
        pairs.any(|pair| pair[0] == *option && pair[1] == *value)
    };
    let named = |names: &[&str]| names.iter().any(|name| has("--crate-name", name));
    let is_measured = named(&MEASURED) && has("--crate-type", "lib");
    // The fuzzer looks for functions of the C library in the running program.
    let is_program = named(&["netdiag_fuzz"]);
    let mut command = Command::new(rustc);
    for argument in &arguments {
        match is_program && *argument == *STATIC {
            true => command.arg(DYNAMIC),
            false => command.arg(argument),
        };
    }
    if is_measured {
        command.args(COVERAGE);
    }
    let status = command.status();
    let code = status.ok().and_then(|status| status.code());
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Runs the targets that were asked for.
pub fn fuzz(workspace: &Workspace, args: &FuzzArgs) -> Result<ExitCode> {
    let program = program(workspace)?;
    let asked = args.targets.iter().map(String::as_str);
    let targets: Vec<&str> = match args.targets.is_empty() {
        true => TARGETS.to_vec(),
        false => asked.collect(),
    };
    let mut table = Table::default();
    for target in targets {
        let target = Target {
            workspace,
            program: &program,
            name: target,
        };
        let row = target.fuzz(args.seconds)?;
        println!("{}: {}", row.step, row.note);
        table.0.push(row);
        if args.keep {
            target.keep()?;
        }
    }
    println!("\n{table}\n{}", table.closing_line());
    Ok(match table.failed() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// All targets for a short time, from the corpus that is kept.
pub fn rows(workspace: &Workspace) -> Result<Vec<Row>> {
    let started = Instant::now();
    let program = match program(workspace) {
        Ok(program) => program,
        Err(error) => {
            eprintln!("{error:#}");
            let why = "the fuzzer does not compile";
            return Ok(vec![Row::failed("fuzz", started.elapsed(), why)]);
        }
    };
    let seconds = SECONDS_IN_CI / TARGETS.len() as u64;
    let mut rows = vec![Row::made("fuzz build", started.elapsed(), "built")];
    for name in TARGETS {
        let target = Target {
            workspace,
            program: &program,
            name,
        };
        rows.push(target.fuzz(Some(seconds))?);
    }
    Ok(rows)
}

fn program(workspace: &Workspace) -> Result<PathBuf> {
    let xtask = env::current_exe().context("this program has no path")?;
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "netdiag-fuzz"]);
    for (package, level) in OPTIMISED {
        let optimised = format!("profile.dev.package.{package}.opt-level={level}");
        cargo.args(["--config", &optimised]);
    }
    // Only crates of this workspace are compiled anew; all others are those of the usual build.
    cargo
        .env("RUSTC_WORKSPACE_WRAPPER", xtask)
        .env(COMPILES, "1")
        .env("CARGO_INCREMENTAL", "0");
    let built = build::run(workspace, cargo, false, "fuzz-build")?;
    built.required_binary("netdiag-fuzz").cloned()
}

/// One target.
struct Target<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    name: &'a str,
}

impl Target<'_> {
    /// Runs rounds: one of a million inputs, then of a tenth of all, until one covers nothing new. With `seconds`, one
    /// round of that time.
    fn fuzz(&self, seconds: Option<u64>) -> Result<Row> {
        let started = Instant::now();
        let mut all = Output::default();
        loop {
            let (limit, inputs) = match seconds {
                Some(seconds) => (seconds, 0),
                None if all.inputs == 0 => (LONGEST.as_secs(), LEAST_INPUTS),
                None => (LONGEST.as_secs(), all.inputs / 9),
            };
            let round = self.round(limit, inputs)?;
            if let Some(crash) = round.crash {
                let step = format!("fuzz {}", self.name);
                return Ok(Row::failed(&step, started.elapsed(), crash));
            }
            let is_done = seconds.is_some()
                || (round.last_new <= round.inputs / 10 * 9 && all.inputs == 0)
                || round.last_new == 0
                || started.elapsed() > LONGEST;
            all.add(&round);
            if is_done {
                break;
            }
        }
        let took = started.elapsed();
        let mut row = Row::made(&format!("fuzz {}", self.name), took, "");
        row.counts.passed = 1;
        row.note = all.to_string();
        Ok(row)
    }

    fn round(&self, seconds: u64, inputs: u64) -> Result<Output> {
        let own = self.folder("corpus").join(self.name);
        let crashes = self.folder("crashes");
        for folder in [&own, &crashes] {
            fs::create_dir_all(folder).with_context(|| format!("failed to create {folder:?}"))?;
        }
        let mut command = self.command();
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!(
                "-artifact_prefix={}/{}-",
                crashes.display(),
                self.name
            ))
            .args([
                "-rss_limit_mb=1024",
                "-timeout=10",
                "-max_len=4096",
                "-reload=0",
            ]);
        if inputs > 0 {
            command.arg(format!("-runs={inputs}"));
        }
        command.arg(&own);
        let kept = corpus::kept(self.workspace, self.name);
        if kept.exists() {
            command.arg(kept);
        }
        let name = format!("fuzz-{}", self.name);
        let limit = Duration::from_secs(seconds) + Duration::from_secs(120);
        let ended = Job::new(self.workspace, &name, command, limit).run()?;
        let bytes = fs::read(&ended.log).context("failed to read the fuzzer's output")?;
        let mut output = Output::parse(&String::from_utf8_lossy(&bytes));
        if !ended.success {
            eprintln!("{}", ended.excerpt());
            let found = format!("FOUND something, see {}", crashes.display());
            output.crash.get_or_insert(found);
        }
        Ok(output)
    }

    /// Leaves the fewest inputs that reach the same, in the repository.
    fn keep(&self) -> Result<()> {
        let smallest = self.folder("smallest").join(self.name);
        let _ = fs::remove_dir_all(&smallest);
        fs::create_dir_all(&smallest).context("failed to create a folder")?;
        let mut command = self.command();
        command.args(["-merge=1", "-max_len=4096"]).arg(&smallest);
        command.arg(self.folder("corpus").join(self.name));
        let kept = corpus::kept(self.workspace, self.name);
        if kept.exists() {
            command.arg(&kept);
        }
        let name = format!("fuzz-{}-merge", self.name);
        let ended = Job::new(self.workspace, &name, command, LONGEST).run()?;
        ensure!(ended.success, "{}", ended.excerpt());
        corpus::write(&smallest, &kept)
    }

    fn command(&self) -> Command {
        let mut command = self.workspace.command(self.program);
        command.env("NETDIAG_FUZZ_TARGET", self.name);
        command
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.workspace.target.join("fuzz").join(name)
    }
}
