//! `cargo xtask test-vm`: the kernel scenarios, on stock kernels in QEMU.

mod document;
mod kernel;
mod machine;
mod results;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::{self, Built};
use crate::machine::Machine;
use crate::setup::{self, Images, Need};
use crate::workspace::Workspace;
use machine::Guest;
use results::Results;
use table::Table;

pub use kernel::Kernel;

const NEEDS: [Need; 2] = [Need::Ebpf, Need::Guests];
/// Guests side by side: each emulates one processor.
const AT_ONCE: usize = 2;

#[derive(Args)]
pub struct TestVmArgs {
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Kernels to boot, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kernel::ALL)]
    kernel: Vec<Kernel>,
    /// Write docs/kernels.md from this run, which must be of all scenarios on all kernels
    #[arg(long, conflicts_with_all = ["kernel", "filter"])]
    document: bool,
    /// Run only scenarios whose names begin with this, such as `bonds` or `faults::veth`
    filter: Option<String>,
}

/// What one kernel showed.
pub struct Outcome {
    pub kernel: Kernel,
    /// `uname -r`.
    pub release: String,
    pub results: Results,
    pub took: Duration,
    /// What people should know, such as a second boot.
    pub note: String,
}

/// Boots the kernels, two at a time, and ends with a table. A failure ends neither the other scenarios nor the other
/// kernels.
pub fn test_vm(workspace: &Workspace, args: &TestVmArgs) -> Result<ExitCode> {
    let host = Machine::look();
    let set_up = setup::set_up(workspace, &host, &NEEDS, args.yes)?;
    if let Some(why) = NEEDS.iter().find_map(|need| set_up.lack(*need)) {
        bail!("guests cannot be set up: {why}");
    }
    eprintln!("building ..");
    let built = build::everything(workspace, true)?;
    let folder = workspace.run_folder().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {folder:?}"))?;
    let programs = programs_image(workspace, &built, &folder)?;
    let images = setup::images(workspace)?;
    let filter = args.filter.as_deref().unwrap_or_default();
    let boot = |kernel| {
        let guest = Guest {
            workspace,
            images: &images,
            programs: &programs,
            folder: &folder,
            kernel,
            filter,
        };
        run_guest(&guest, &images)
    };
    let outcomes = run_side_by_side(&args.kernel, boot)?;
    for outcome in &outcomes {
        for failure in outcome.results.failed() {
            eprintln!(
                "--- {} on {}\n{}",
                failure.name, outcome.release, failure.output
            );
        }
    }
    let table = Table(&outcomes);
    println!("{table}");
    let failed = table.failed();
    if args.document && failed == 0 {
        document::write(workspace, &outcomes)?;
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every kernel's outcome, in the order of `kernels`.
fn run_side_by_side(
    kernels: &[Kernel],
    boot: impl Fn(Kernel) -> Result<Outcome> + Sync,
) -> Result<Vec<Outcome>> {
    let waiting = Mutex::new(kernels.iter().copied());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next()
    };
    let work = || std::iter::from_fn(next).map(&boot).collect::<Vec<_>>();
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(outcomes) => all.extend(outcomes),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.into_iter().collect::<Result<Vec<_>>>()
    })?;
    outcomes.sort_by_key(|outcome| kernels.iter().position(|kernel| *kernel == outcome.kernel));
    Ok(outcomes)
}

/// Boots a guest; once more if it died, since emulated kernels now and then do.
fn run_guest(guest: &Guest<'_>, images: &Images) -> Result<Outcome> {
    let release = images.release(guest.kernel)?;
    let mut ended = guest.run()?;
    let mut notes = Vec::new();
    if ended.died_of_emulation() {
        notes.push(format!("booted twice: {}", ended.end()));
        let first = ended.took;
        ended = guest.run()?;
        ended.took += first;
    }
    if !ended.results.complete {
        notes.push(ended.end());
    }
    Ok(Outcome {
        kernel: guest.kernel,
        release,
        results: ended.results,
        took: ended.took,
        note: notes.join("; "),
    })
}

/// The file system with the programs under test and the guest's init.
fn programs_image(workspace: &Workspace, built: &Built, folder: &Path) -> Result<PathBuf> {
    let tree = folder.join("programs");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("failed to remove {tree:?}"))?;
    }
    fs::create_dir_all(&tree).with_context(|| format!("failed to create {tree:?}"))?;
    let suite = built
        .executables
        .iter()
        .find(|built| built.is_test && built.target == "suite")
        .context("the build made no end-to-end tests")?;
    let agent = built.required_binary("netdiag-agent")?;
    let lab = built.required_binary("netdiag-lab")?;
    for (program, name) in [
        (agent, "netdiag-agent"),
        (lab, "netdiag-lab"),
        (&suite.path, "suite"),
    ] {
        let mut strip = workspace.command("strip");
        strip.args(["--strip-debug", "-o"]).arg(tree.join(name));
        machine::run_quietly(strip.arg(program))?;
    }
    let init = workspace.root.join("e2e/guest/init");
    fs::copy(&init, tree.join("init")).with_context(|| format!("failed to copy {init:?}"))?;
    let image = folder.join("programs.ext4");
    if image.exists() {
        fs::remove_file(&image).with_context(|| format!("failed to remove {image:?}"))?;
    }
    let mut make = workspace.command("mke2fs");
    make.args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]);
    machine::run_quietly(make.arg(&tree).arg(&image).arg("400M"))?;
    Ok(image)
}
