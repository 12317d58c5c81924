//! One guest: QEMU's arguments, and its run from power-on to power-off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;
use super::results::Results;
use crate::job::Job;
use crate::setup::Images;
use crate::workspace::Workspace;

/// For boot and all scenarios of one kernel.
pub const LIMIT: Duration = Duration::from_secs(15 * 60);
/// NICs on the guest's one segment: a host's and three of the node's.
const NICS: u8 = 4;

pub struct Guest<'a> {
    pub workspace: &'a Workspace,
    pub images: &'a Images,
    pub programs: &'a Path,
    /// Where its output goes.
    pub folder: &'a Path,
    pub kernel: Kernel,
    /// Begin of the names of the scenarios to run.
    pub filter: &'a str,
}

/// A guest that is off again.
pub struct Ended {
    pub results: Results,
    pub took: Duration,
    pub over_limit: bool,
}

impl Guest<'_> {
    /// Boots it and waits until it switches itself off.
    pub fn run(&self) -> Result<Ended> {
        let output = self.file("results");
        let job = Job {
            workspace: self.workspace,
            name: &format!("guest {}", self.kernel),
            command: self.command(),
            limit: LIMIT,
            output: None,
        };
        let ended = job.run()?;
        if !ended.success && !ended.over_limit {
            bail!("QEMU failed\n{}", ended.excerpt());
        }
        let text = fs::read(&output).with_context(|| format!("failed to read {output:?}"))?;
        Ok(Ended {
            results: Results::read(&String::from_utf8_lossy(&text)),
            took: ended.took,
            over_limit: ended.over_limit,
        })
    }

    fn file(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.kernel))
    }

    fn command(&self) -> Command {
        let images = self.images.kernel(self.kernel);
        let mut command = self.workspace.command("nice");
        command.args(["qemu-system-x86_64", "-nodefaults", "-display", "none"]);
        command.args(["-no-reboot", "-machine", "pc", "-accel", "tcg"]);
        command.args(["-m", "1024", "-smp", "1"]);
        command.args(["-cpu", self.kernel.processor()]);
        command.arg("-kernel").arg(images.join("vmlinuz"));
        command.arg("-initrd").arg(images.join("initrd"));
        command.arg("-append").arg(format!(
            "console=ttyS0 panic=-1 quiet mitigations=off net.ifnames=0 netdiag.filter={}",
            self.filter
        ));
        // The guest finds them by this order.
        let disks = [
            &self.images.system(),
            &images.join("modules.ext4"),
            self.programs,
        ];
        for (number, disk) in disks.into_iter().enumerate() {
            command.arg("-drive").arg(format!(
                "file={},format=raw,if=none,id=disk{number},snapshot=on",
                disk.display()
            ));
            let device = format!("virtio-blk-pci,drive=disk{number}");
            command.args(["-device", &device]);
        }
        for number in 0..NICS {
            let port = format!("hubport,id=port{number},hubid=0");
            let device =
                format!("virtio-net-pci,netdev=port{number},mac=52:54:00:6e:64:{number:02x}");
            command.args(["-netdev", &port, "-device", &device]);
        }
        for output in ["console", "results"] {
            let port = format!("file:{}", self.file(output).display());
            command.args(["-serial", &port]);
        }
        command
    }
}

/// Runs a command that says nothing when all is well.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start {:?}", command.get_program()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{:?} failed: {}", command.get_program(), said.trim());
    }
    Ok(())
}
