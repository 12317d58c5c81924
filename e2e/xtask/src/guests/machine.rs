//! One guest: QEMU's arguments, and its run from power-on to power-off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;
use super::results::Results;
use super::run::Run;
use crate::job::Job;
use crate::slow;

/// For booting and switching off, on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
/// For one scenario, on average; the guest's init gives a single one at most twice that.
const AVERAGE_LIMIT: Duration = Duration::from_secs(90);
/// NICs on the guest's one segment: a host's and three of the node's.
const NICS: u8 = 4;

pub struct Guest<'a> {
    pub run: &'a Run<'a>,
    pub kernel: Kernel,
    /// Of this boot, for its logs.
    pub name: &'a str,
    /// The disk that tells it what to run.
    pub exchange: &'a Path,
    /// The number of scenarios on that disk.
    pub scenarios: usize,
    /// The rest of the run's time.
    pub left: Duration,
}

/// A guest that is off again.
pub struct Ended {
    pub results: Results,
    pub took: Duration,
    pub over_limit: bool,
    pub limit: Duration,
    /// Why its kernel died, if it did.
    pub death: Option<Death>,
}

impl Ended {
    /// True if it died in the agent's own programs, which is a fault of the agent; emulated kernels die now and then.
    pub fn died_in_ebpf(&self) -> bool {
        self.death.as_ref().is_some_and(|death| death.in_ebpf)
    }

    /// Describes the end of a guest that did not finish its scenarios.
    pub fn end(&self) -> String {
        match &self.death {
            _ if self.over_limit => format!("over its limit of {} s", self.limit.as_secs()),
            Some(death) if death.in_ebpf => {
                format!("the kernel died in an eBPF program: {}", death.message)
            }
            Some(death) => format!("the kernel died: {}", death.message),
            None => "the guest ended early".to_owned(),
        }
    }
}

/// The death of a kernel.
#[derive(Debug, PartialEq, Eq)]
pub struct Death {
    /// The first message about it.
    pub message: String,
    /// An eBPF program was running, and only the agent loads any.
    pub in_ebpf: bool,
}

impl Death {
    /// Reads a console.
    fn read(console: &str) -> Option<Self> {
        let is_last_word = |line: &&str| {
            ["BUG:", "Oops", "Kernel panic"]
                .iter()
                .any(|word| line.contains(word))
        };
        let message = console.lines().find(is_last_word)?.trim().to_owned();
        Some(Self {
            message,
            in_ebpf: console.contains("bpf_prog_"),
        })
    }
}

impl Guest<'_> {
    /// Boots it and waits until it switches itself off.
    pub fn boot(&self) -> Result<Ended> {
        let scenarios = u32::try_from(self.scenarios).unwrap_or(u32::MAX);
        let limit = BOOT_LIMIT + AVERAGE_LIMIT.saturating_mul(scenarios);
        let limit = slow::limit(limit).min(self.left);
        let name = format!("guest {}", self.name);
        let job = Job::new(self.run.workspace, &name, self.command()?, limit);
        let ended = job.run()?;
        if !ended.success && !ended.over_limit {
            bail!("QEMU failed\n{}", ended.excerpt());
        }
        // The guest's second serial port is QEMU's standard output, so the log holds its results.
        let log = &ended.log;
        let text = fs::read(log).with_context(|| format!("failed to read {}", log.display()))?;
        Ok(Ended {
            results: Results::read(&String::from_utf8_lossy(&text)),
            took: ended.took,
            over_limit: ended.over_limit,
            limit,
            death: Death::read(&String::from_utf8_lossy(
                &fs::read(self.console()).context("failed to read a console")?,
            )),
        })
    }

    fn console(&self) -> PathBuf {
        self.run.folder.join(format!("{}.console", self.name))
    }

    fn command(&self) -> Result<Command> {
        let images = self.run.images.kernel(self.kernel)?;
        let mut command = self.run.workspace.command("nice");
        command.args(["qemu-system-x86_64", "-nodefaults", "-display", "none"]);
        command.args(["-no-reboot", "-machine", "pc", "-accel", "tcg"]);
        command.args(["-m", "1024", "-smp", "1"]);
        command.args(["-cpu", self.kernel.processor()]);
        command.arg("-kernel").arg(images.join("vmlinuz"));
        command.arg("-initrd").arg(images.join("initrd"));
        // A busy machine can let an emulated timer come so late that a kernel which checks it gives up.
        command.args([
            "-append",
            "console=ttyS0 panic=-1 quiet mitigations=off net.ifnames=0 no_timer_check",
        ]);
        // The guest finds them by this order. What it writes to the last one stays.
        let system = self.run.images.system();
        let modules = images.join("modules.ext4");
        let disks = [
            (system.as_path(), "on"),
            (&modules, "on"),
            (self.run.programs, "on"),
            (self.exchange, "off"),
        ];
        for (number, (disk, snapshot)) in disks.into_iter().enumerate() {
            command.arg("-drive").arg(format!(
                "file={},format=raw,if=none,id=disk{number},snapshot={snapshot}",
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
        let console = format!("file:{}", self.console().display());
        command.args(["-serial", &console]);
        command.args(["-chardev", "stdio,id=results,signal=off"]);
        command.args(["-serial", "chardev:results"]);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_in_an_ebpf_program_is_told_from_one_of_emulation() {
        let console = "[   60.4] BUG: kernel NULL pointer dereference, address: 6c\n\
            [   60.4] RIP: 0010:bpf_prog_82da7607e3a30ac0_drop_direct+0x68/0xe28\n";
        let death = Death::read(console).unwrap();
        assert!(
            death.in_ebpf && death.message.contains("NULL pointer"),
            "{death:?}"
        );
        let console = "[    9.1] Kernel panic - not syncing: Fatal exception in interrupt\n";
        assert!(!Death::read(console).unwrap().in_ebpf);
        assert_eq!(Death::read("[   67.4] reboot: Power down\n"), None);
    }
}
