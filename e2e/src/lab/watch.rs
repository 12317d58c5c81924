//! The agent without a cluster: one window, one report.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::HostRoot;
use crate::process::Process;
use crate::wait;

/// Before Linux 5.11 locked memory counts what eBPF maps take, and container runtimes commonly leave 8 MiB of it; later
/// kernels do not look.
const LOCKED_MEMORY: [&str; 3] = ["prlimit", "--memlock=8388608:8388608", "--"];
/// The time that a fault may take beyond its window, for machines that are slow: the agent is stopped when the fault is
/// over.
const SPARE_SECONDS: u64 = 120;

/// The capabilities of the chart's container.
pub const CAPABILITIES: [&str; 5] = ["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "SYSLOG"];

/// The command that runs a program with the chart's locked memory and its capabilities, without one of them where that
/// is asked.
pub(super) fn privileges(without: Option<&str>) -> Vec<String> {
    let mut set = "--bounding-set=-all".to_owned();
    let given = |capability: &&str| Some(*capability) != without;
    for capability in CAPABILITIES.into_iter().filter(given) {
        set.push_str(",+");
        set.push_str(&capability.to_lowercase());
    }
    let mut words: Vec<String> = LOCKED_MEMORY.map(str::to_owned).into();
    words.extend(["setpriv".to_owned(), set]);
    words.extend(["--inh-caps=-all", "--"].map(str::to_owned));
    words
}

/// A window under way.
pub struct Watch {
    process: Process,
    log: PathBuf,
    recording: PathBuf,
    began: Instant,
    seconds: u64,
}

/// The result of a window.
pub struct Watched {
    /// The NodeNetReport.
    pub report: Value,
    /// The file with its evidence.
    pub recording: PathBuf,
}

impl Watch {
    pub(super) fn start(mut command: Command, host: &HostRoot, seconds: u64) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = host.path().join(format!("watch-{number}.log"));
        let recording = host.path().join(format!("watch-{number}.json"));
        command.arg("--record").arg(&recording);
        command.arg("--duration");
        command.arg((seconds + SPARE_SECONDS).to_string());
        let process = Process::start("netdiag-agent diagnose", command, &log)?;
        wait::until("the window", wait::LIMIT, || {
            if let Err(ended) = process.check_running() {
                return Ok(Some(Err(ended)));
            }
            let said = process.log_tail();
            Ok(said.contains("netdiag: watching").then_some(Ok(())))
        })??;
        Ok(Self {
            process,
            log,
            recording,
            began: Instant::now(),
            seconds,
        })
    }

    /// The process id of the agent.
    pub fn agent(&self) -> u32 {
        self.process.id()
    }

    /// Ends the window, but not before its time, and waits for the report.
    ///
    /// # Errors
    /// When the agent has ended already: nobody knows how much of the fault it saw.
    pub fn report(self) -> Result<Watched> {
        thread::sleep(Duration::from_secs(self.seconds).saturating_sub(self.began.elapsed()));
        self.process.check_running()?;
        self.process.interrupt();
        wait::until("the agent's report", wait::LIMIT, || {
            Ok(self.process.check_running().err())
        })?;
        let said = fs::read_to_string(&self.log).context("failed to read what the agent said")?;
        // Progress comes before it, on standard error.
        let start = said
            .find("\n{\n")
            .with_context(|| format!("the agent printed no report:\n{said}"))?;
        // What follows it is about the recording.
        let mut values = serde_json::Deserializer::from_str(&said[start..]).into_iter();
        let report = values
            .next()
            .and_then(Result::ok)
            .with_context(|| format!("the agent's report is no JSON:\n{said}"))?;
        Ok(Watched {
            report,
            recording: self.recording,
        })
    }
}
