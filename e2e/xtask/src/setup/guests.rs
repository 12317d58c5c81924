//! The images that guests boot from: a root file system, and Debian's kernels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::packages::apt_obstacle;
use super::{Need, Step, cache, guest_kernel};
use crate::guests::Kernel;
use crate::machine::Machine;
use crate::workspace::Workspace;

const BY_HAND: &str =
    "Debian 12, from which the guests' programs are built and their system is made";

pub const SYSTEM: Step = Step {
    name: "guest system",
    need: Need::Guests,
    purpose: "a small Debian 12 as the guests' root, kept in the cache",
    obstacle,
    present: |workspace| system(workspace).is_ok_and(|folder| has_system(&folder)),
    commands: |workspace| {
        let mut make = workspace.command("sh");
        make.arg(script(workspace, "system.sh"));
        make.arg(cache::unfinished(&system(workspace)?));
        Ok(vec![make])
    },
    finish: |workspace| cache::finish(&system(workspace)?, has_system),
};

pub const KERNELS: Step = Step {
    name: "guest kernels",
    need: Need::Guests,
    purpose: "Debian's kernels 5.10, 6.1, 6.12 and its newest, kept in the cache; this machine's package lists stay as they are",
    obstacle,
    present: |workspace| {
        let mut kernels = Kernel::CI.into_iter();
        kernels.all(|kernel| folder(workspace, kernel).is_ok_and(|folder| has_kernel(&folder)))
    },
    commands: |_| Ok(Vec::new()),
    finish: |workspace| {
        let mut kernels = Kernel::CI.into_iter();
        kernels.try_for_each(|kernel| make_kernel(workspace, kernel))
    },
};

/// Makes the images of a kernel, unless they are in the cache.
pub fn make_kernel(workspace: &Workspace, kernel: Kernel) -> Result<()> {
    let folder = folder(workspace, kernel)?;
    if has_kernel(&folder) {
        return Ok(());
    }
    guest_kernel::make(workspace, &cache::unfinished(&folder), kernel)
        .with_context(|| format!("failed to make the kernel {kernel}"))?;
    cache::finish(&folder, has_kernel)
}

/// The images that guests boot from.
pub struct Images<'a> {
    workspace: &'a Workspace,
    system: PathBuf,
}

impl Images<'_> {
    /// The root, which guests must not write to.
    pub fn system(&self) -> PathBuf {
        self.system.join("system.ext4")
    }

    /// Holds `vmlinuz`, `initrd`, `modules.ext4` and `release` of one kernel.
    pub fn kernel(&self, kernel: Kernel) -> Result<PathBuf> {
        folder(self.workspace, kernel)
    }

    /// A kernel's `uname -r`.
    pub fn release(&self, kernel: Kernel) -> Result<String> {
        let path = self.kernel(kernel)?.join("release");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("failed to read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }
}

/// Finds the images that the set-up made.
pub fn images(workspace: &Workspace) -> Result<Images<'_>> {
    Ok(Images {
        workspace,
        system: system(workspace)?,
    })
}

/// The guests run the programs that are built here, on the kernels of this architecture.
fn obstacle(machine: &Machine) -> Option<String> {
    if cfg!(target_arch = "x86_64") {
        apt_obstacle(machine, BY_HAND)
    } else {
        Some("guests are x86-64 machines, and run what is built here".to_owned())
    }
}

fn script(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("e2e/guest").join(name)
}

fn system(workspace: &Workspace) -> Result<PathBuf> {
    let inputs = [text(&script(workspace, "system.sh"))?];
    Ok(cache::folder(workspace, "guest-system", &inputs))
}

/// The folder of one kernel. Kernels of the same name that Debian packages later are not looked for.
fn folder(workspace: &Workspace, kernel: Kernel) -> Result<PathBuf> {
    let inputs = [
        include_str!("guest_kernel.rs").to_owned(),
        include_str!("debian.rs").to_owned(),
        text(&script(workspace, "initrd-init"))?,
        kernel.suite().to_owned(),
    ];
    Ok(cache::folder(
        workspace,
        &format!("guest-kernel-{kernel}"),
        &inputs,
    ))
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn has_system(folder: &Path) -> bool {
    folder.join("system.ext4").is_file()
}

fn has_kernel(folder: &Path) -> bool {
    folder.join("release").is_file()
}
