//! Runs one command: output into a log file, progress lines, a time limit, a clean end on Ctrl-C.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::slow;
use crate::workspace::Workspace;

/// Silence longer than this makes people wonder, so the first progress line comes here.
const FIRST_PROGRESS: Duration = Duration::from_secs(2);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
/// The time that an ended command gets for its own clean-up before it is killed.
const GRACE: Duration = Duration::from_secs(20);
const SHOWN_LINES: usize = 40;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A command with a name for people and a limit on its time.
pub struct Job<'a> {
    workspace: &'a Workspace,
    name: &'a str,
    command: Command,
    limit: Duration,
    /// The file for standard output; absent: the log, beside standard error.
    pub output: Option<PathBuf>,
}

/// The end of a job.
pub struct Ended {
    pub success: bool,
    pub over_limit: bool,
    pub took: Duration,
    pub log: PathBuf,
}

impl<'a> Job<'a> {
    /// A command whose output goes into the log. Its limit is lifted where all is slow on purpose.
    pub fn new(
        workspace: &'a Workspace,
        name: &'a str,
        command: Command,
        usual_limit: Duration,
    ) -> Self {
        Self {
            workspace,
            name,
            command,
            limit: slow::limit(usual_limit),
            output: None,
        }
    }

    /// Runs to the end or to the limit. An error means that it could not be started, or Ctrl-C.
    pub fn run(mut self) -> Result<Ended> {
        check_interrupted()?;
        let log = self.log_path();
        let folder = log.parent().context("the log has no folder")?;
        fs::create_dir_all(folder).with_context(|| format!("failed to create {folder:?}"))?;
        let file = File::create(&log).with_context(|| format!("failed to create {log:?}"))?;
        let output = match &self.output {
            Some(path) => File::create(path).with_context(|| format!("failed to create {path:?}")),
            None => file.try_clone().context("failed to share the log file"),
        }?;
        let started = Instant::now();
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {:?}", self.command.get_program()))?;
        let (success, over_limit) = self.watch(&mut child, started, &log)?;
        Ok(Ended {
            success,
            over_limit,
            took: started.elapsed(),
            log,
        })
    }

    /// Runs and turns a failure into an error that shows the last lines of the log.
    pub fn run_to_success(self) -> Result<Duration> {
        let (name, limit) = (self.name.to_owned(), self.limit);
        let ended = self.run()?;
        if ended.over_limit {
            bail!("{name}: over its limit of {limit:?}\n{}", ended.excerpt());
        }
        if !ended.success {
            bail!("{name} failed\n{}", ended.excerpt());
        }
        Ok(ended.took)
    }

    fn log_path(&self) -> PathBuf {
        let file: String = self
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        self.workspace.run_folder().join(file).with_extension("log")
    }

    fn watch(&self, child: &mut Child, started: Instant, log: &Path) -> Result<(bool, bool)> {
        let mut next_progress = FIRST_PROGRESS;
        loop {
            if let Some(status) = child.try_wait().context("failed to wait for a command")? {
                return Ok((status.success(), false));
            }
            if let Err(interrupted) = check_interrupted() {
                end_group(child)?;
                return Err(interrupted);
            }
            let elapsed = started.elapsed();
            if elapsed > self.limit {
                end_group(child)?;
                return Ok((false, true));
            }
            if elapsed > next_progress {
                let line = last_lines(log, 1);
                eprintln!("  {} ({} s) {}", self.name, elapsed.as_secs(), brief(&line));
                next_progress = elapsed + PROGRESS_EVERY;
            }
            thread::sleep(POLL);
        }
    }
}

impl Ended {
    /// The end of the log and where the rest is.
    pub fn excerpt(&self) -> String {
        let lines = last_lines(&self.log, SHOWN_LINES);
        format!("{lines}\n(whole log: {})", self.log.display())
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

/// Ctrl-C must reach a job's own clean-up: from now on it is passed on and waited for.
pub fn end_jobs_on_ctrl_c() {
    extern "C" fn note(_signal: libc::c_int) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        #[expect(unsafe_code, reason = "std has no signal handling")]
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe {
            libc::signal(
                signal,
                note as extern "C" fn(libc::c_int) as libc::sighandler_t,
            );
        }
    }
}

/// Fails after Ctrl-C.
pub fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Asks the command and everything it started to end, then makes it.
fn end_group(child: &mut Child) -> Result<()> {
    signal_group(child, libc::SIGINT);
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        if child.try_wait()?.is_some() {
            break;
        }
        thread::sleep(POLL);
    }
    signal_group(child, libc::SIGKILL);
    child.wait().context("failed to wait for a command")?;
    Ok(())
}

fn signal_group(child: &Child, signal: libc::c_int) {
    let Ok(group) = libc::pid_t::try_from(child.id()) else {
        return;
    };
    #[expect(unsafe_code, reason = "std cannot signal a process group")]
    // SAFETY: kill takes plain numbers. The group is this job's own: it was made by
    // process_group(0), and its number cannot be reused while a member lives.
    unsafe {
        libc::kill(-group, signal);
    }
}

fn last_lines(path: &Path, count: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn brief(line: &str) -> String {
    line.trim().chars().take(100).collect()
}
