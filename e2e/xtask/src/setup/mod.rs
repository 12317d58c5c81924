//! Sets up what a command needs and this machine lacks.
//!
//! A short list of steps, each with a check and the commands that do it. Nothing is installed
//! before it was said and agreed to.

pub mod cache;
pub mod control_plane;
pub mod debian;
mod ebpf;
mod golang;
mod guest_kernel;
mod guests;
pub mod kubernetes;
pub mod packages;
mod step;

use std::io::{Write, stderr, stdin};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::job::{self, Job};
use crate::machine::Machine;
use crate::offline::{image_base, node_programs};
use crate::table::Row;
use crate::workspace::Workspace;

pub use control_plane::assets;
pub use ebpf::ready as ebpf_ready;
pub use guests::{Images, images, make_kernel};
pub use step::{Need, Step};

/// The longest step compiles the control plane: 4 minutes on two idle cores, half an hour on busy ones.
const STEP_LIMIT: Duration = Duration::from_secs(40 * 60);

/// The compiler of Kubernetes' programs. It comes first, because it may be a package, and packages are installed by one
/// program at a time.
const GO: [&Step; 1] = [&golang::GO];
/// The steps that this compiler compiles, beside all the rest.
const COMPILED_BY_GO: [&Step; 2] = [&kubernetes::BINARIES, &node_programs::BINARIES];
const PACKAGES: [&Step; 6] = [
    &packages::NETWORK_TOOLS,
    &ebpf::PACKAGES,
    &packages::GUEST_TOOLS,
    &packages::CONTAINER_RUNTIME,
    &packages::IMAGE_TOOLS,
    &packages::ARM64_EMULATOR,
];
/// The tools that need packages and are compiled.
const EBPF_TOOLS: [&Step; 2] = [&ebpf::TOOLCHAIN, &ebpf::LINKER];
/// The steps that need packages and mostly wait for a mirror.
const DOWNLOADED: [&Step; 4] = [
    &image_base::CRATES,
    &image_base::BASE,
    &guests::SYSTEM,
    &guests::KERNELS,
];

/// The result of the set-up.
#[derive(Default)]
pub struct Outcome {
    pub rows: Vec<Row>,
    /// The needs that cannot be met, with the reason.
    pub lacking: Vec<(Need, String)>,
}

impl Outcome {
    /// Why `need` cannot be met, if so.
    pub fn lack(&self, need: Need) -> Option<&str> {
        let mut lacking = self.lacking.iter();
        lacking
            .find(|(lacking, _)| *lacking == need)
            .map(|(_, why)| why.as_str())
    }
}

/// As [`set_up`], for what cannot go on without any of the needs; `failure` says what then cannot be done.
pub fn require(
    workspace: &Workspace,
    machine: &Machine,
    needs: &[Need],
    agreed: bool,
    failure: &str,
) -> Result<()> {
    let outcome = set_up(workspace, machine, needs, agreed)?;
    match needs.iter().find_map(|need| outcome.lack(*need)) {
        Some(why) => bail!("{failure}: {why}"),
        None => Ok(()),
    }
}

/// Sets up what `needs` asks for. A step that cannot be done is reported in the outcome, because the
/// rest may go on without it.
pub fn set_up(
    workspace: &Workspace,
    machine: &Machine,
    needs: &[Need],
    agreed: bool,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut missing_of = |steps: &[&'static Step]| outcome.look(workspace, machine, steps, needs);
    let go = missing_of(&GO);
    let packages = missing_of(&PACKAGES);
    let by_go = missing_of(&COMPILED_BY_GO);
    let tools = missing_of(&EBPF_TOOLS);
    let downloaded = missing_of(&DOWNLOADED);
    let missing = [&go[..], &packages, &by_go, &tools, &downloaded].concat();
    if missing.is_empty() {
        return Ok(outcome);
    }
    describe(workspace, &missing)?;
    if !agreed && !ask(machine)? {
        for step in missing {
            let why = format!("{} was not set up, as you wished", step.name);
            outcome.lacking.push((step.need, why));
        }
        return Ok(outcome);
    }
    outcome.add(outcome.perform(workspace, &go));
    let with_packages = || {
        let mut installed = outcome.perform(workspace, &packages);
        let parts = both(
            || installed.perform(workspace, &downloaded),
            || installed.perform(workspace, &tools),
        );
        parts.into_iter().for_each(|part| installed.add(part));
        installed
    };
    let parts = both(|| outcome.perform(workspace, &by_go), with_packages);
    parts.into_iter().for_each(|part| outcome.add(part));
    job::check_interrupted()?;
    Ok(outcome)
}

/// Two parts of the set-up, side by side.
fn both(beside: impl FnOnce() -> Outcome + Send, here: impl FnOnce() -> Outcome) -> [Outcome; 2] {
    thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let here = here();
        match beside.join() {
            Ok(beside) => [beside, here],
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

impl Outcome {
    /// Which of these steps are to be done; says of the others that they are there or cannot be done.
    fn look(
        &mut self,
        workspace: &Workspace,
        machine: &Machine,
        steps: &[&'static Step],
        needs: &[Need],
    ) -> Vec<&'static Step> {
        let mut missing = Vec::new();
        for step in steps.iter().filter(|step| needs.contains(&step.need)) {
            if self.lack(step.need).is_some() {
                continue; // without an earlier step, this one is of no use
            }
            if (step.present)(workspace) {
                let row = Row::made(step.name, Duration::ZERO, "cached");
                self.rows.push(row);
            } else if let Some(obstacle) = (step.obstacle)(machine) {
                eprintln!("{}: {obstacle}", step.name);
                self.lacking.push((step.need, obstacle));
            } else {
                missing.push(*step);
            }
        }
        missing
    }

    /// Performs steps one after the other; what cannot be used already is known from here.
    fn perform(&self, workspace: &Workspace, steps: &[&Step]) -> Self {
        let mut outcome = Self {
            rows: Vec::new(),
            lacking: self.lacking.clone(),
        };
        for step in steps {
            outcome.set_up(workspace, step);
        }
        outcome
    }

    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        for lacking in other.lacking {
            if !self.lacking.contains(&lacking) {
                self.lacking.push(lacking);
            }
        }
    }

    /// Performs a step, unless an earlier one of the same need could not be done.
    fn set_up(&mut self, workspace: &Workspace, step: &Step) {
        if self.lack(step.need).is_some() {
            return;
        }
        let started = Instant::now();
        eprintln!("setting up {} ..", step.name);
        let row = match perform(workspace, step) {
            Ok(()) => Row::made(step.name, started.elapsed(), "built"),
            Err(error) => {
                eprintln!("error: {error:#}");
                let why = format!("setting up {} failed", step.name);
                let row = Row::failed(step.name, started.elapsed(), why.as_str());
                self.lacking.push((step.need, why));
                row
            }
        };
        self.rows.push(row);
    }
}

fn perform(workspace: &Workspace, step: &Step) -> Result<()> {
    for command in (step.commands)(workspace)? {
        run(workspace, step.name, command)?;
    }
    (step.finish)(workspace)?;
    if !(step.present)(workspace) {
        bail!("{} was set up, yet it is not usable", step.name);
    }
    Ok(())
}

fn run(workspace: &Workspace, name: &str, command: Command) -> Result<()> {
    let job = Job::new(workspace, name, command, STEP_LIMIT);
    job.run_to_success().map(drop)
}

fn describe(workspace: &Workspace, missing: &[&Step]) -> Result<()> {
    eprintln!("This is missing and will be set up:");
    for step in missing {
        eprintln!("- {}: {}", step.name, step.purpose);
        for command in (step.commands)(workspace)? {
            eprintln!("    {}", shown(&command));
        }
    }
    Ok(())
}

fn ask(machine: &Machine) -> Result<bool> {
    if !machine.terminal {
        bail!(
            "something is missing, and nobody can be asked here: run again with --yes to set it up"
        );
    }
    eprint!("Go on? [y/N] ");
    stderr().flush().context("failed to ask")?;
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .context("failed to read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The command as a person would type it, very long arguments cut short.
fn shown(command: &Command) -> String {
    const LONG: usize = 60;
    let inherited = [
        "CARGO_TARGET_DIR",
        "XDG_CACHE_HOME",
        "GOCACHE",
        "GOMODCACHE",
    ];
    let settings = command
        .get_envs()
        .filter(|(name, _)| !inherited.iter().any(|inherited| name == inherited))
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())));
    let program = Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or(program.as_os_str()))
        .chain(command.get_args())
        .map(|word| word.display().to_string())
        .map(|word| match word.contains(' ') {
            true if word.len() > LONG => "'..'".to_owned(),
            true => format!("'{word}'"),
            false => word,
        });
    settings.chain(words).collect::<Vec<_>>().join(" ")
}
