//! Background programs that end with the harness, however it ends.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::{Context, Result, bail};

use crate::cleanup::Undo;

/// The time that a program gets to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const SHOWN_LINES: usize = 30;

/// A running program in a process group of its own.
pub struct Process {
    name: String,
    child: Arc<Mutex<Child>>,
    log: PathBuf,
    _undo: Undo,
}

impl Process {
    /// Starts `command` with its output in `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file =
            File::create(log).with_context(|| format!("failed to create {}", log.display()))?;
        command
            // The last lines of a program that ended are its error.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("failed to share the log")?)
            .stderr(file);
        let child = spawn(command).with_context(|| format!("failed to start {name}"))?;
        let child = Arc::new(Mutex::new(child));
        let doomed = Arc::clone(&child);
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_path_buf(),
            _undo: Undo::register(move || end(&doomed)),
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.locked().id()
    }

    /// Fails, with the end of its log, if it has ended.
    pub fn check_running(&self) -> Result<()> {
        match self.locked().try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, self.log_tail()),
        }
    }

    /// Asks it to end as Ctrl-C does.
    pub fn interrupt(&self) {
        signal_group(&self.locked(), libc::SIGINT);
    }

    /// Takes its processor time away, as a node that is too busy would, until [`Self::resume`].
    pub fn pause(&self) {
        signal_group(&self.locked(), libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal_group(&self.locked(), libc::SIGCONT);
    }

    /// Kills it without a chance to clean up, as a crash would.
    pub fn kill(&self) -> Result<()> {
        let mut child = self.locked();
        signal_group(&child, libc::SIGKILL);
        child
            .wait()
            .context("failed to wait for a killed program")?;
        Ok(())
    }

    /// Asks it to end and waits for it; as the kubelet does with a pod.
    pub fn terminate(&self) {
        end(&self.child);
    }

    /// Stops it where it is, as a machine without processor time does: its connections stay open.
    pub fn freeze(&self) {
        signal_group(&self.locked(), libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal_group(&self.locked(), libc::SIGCONT);
    }

    /// The last lines that it wrote.
    pub fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a command to its end; its standard output, or an error with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    run_with_input(command, "")
}

/// The same with this text as its standard input.
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
    let shown = format!("{command:?}").replace('"', "");
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = streams
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to run {shown}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading it says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let (said, failed) = (text(&output.stdout), text(&output.stderr));
        bail!("{shown}: {said}{failed} ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} printed no UTF-8"))
}

/// Starts `command` so that the kernel ends it when the harness dies.
///
/// PR_SET_PDEATHSIG fires when the *thread* that forked ends, and test threads end early, so one
/// thread that lives as long as the process does all the forking.
fn spawn(mut command: Command) -> io::Result<Child> {
    type Request = (Command, Sender<io::Result<Child>>);
    static FORKER: OnceLock<Mutex<Sender<Request>>> = OnceLock::new();

    command.process_group(0);
    #[expect(
        unsafe_code,
        reason = "std cannot set the signal of the parent's death"
    )]
    // SAFETY: prctl is a plain system call on numbers, which is allowed between fork and exec.
    unsafe {
        command.pre_exec(
            || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        );
    }
    let forker = FORKER.get_or_init(|| {
        let (sender, receiver) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, reply) in receiver {
                // The other side waits for the reply, so it is there to take it.
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, child) = channel();
    let gone = |_| io::Error::other("the thread that starts programs is gone");
    forker
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .map_err(|_| io::Error::other("the thread that starts programs is gone"))?;
    child.recv().map_err(gone)?
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(child.try_wait(), Ok(None)) {
        signal_group(&child, libc::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        signal_group(&child, libc::SIGKILL);
        // It was killed, so this returns at once; the error would be that it is already gone.
        let _ = child.wait();
    }
}

fn signal_group(child: &Child, signal: libc::c_int) {
    let Ok(group) = libc::pid_t::try_from(child.id()) else {
        return;
    };
    #[expect(unsafe_code, reason = "std cannot signal a process group")]
    // SAFETY: kill takes plain numbers; the group is the child's own and the child is not reaped.
    unsafe {
        libc::kill(-group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup::TemporaryFolder;

    fn sleeper(folder: &TemporaryFolder) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", "echo started; sleep 60 & wait"]);
        Process::start("sleeper", command, &folder.path().join("log")).unwrap()
    }

    #[test]
    fn outlives_the_thread_that_started_it_and_ends_with_its_value() {
        let folder = TemporaryFolder::new("process").unwrap();
        let process = thread::scope(|scope| scope.spawn(|| sleeper(&folder)).join().unwrap());
        thread::sleep(Duration::from_millis(100));
        process.check_running().unwrap();
        let proc = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(proc.exists());
        drop(process);
        assert!(!proc.exists());
    }

    #[test]
    fn says_how_a_program_ended() {
        let folder = TemporaryFolder::new("process").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such flag; exit 3"]);
        let process = Process::start("broken", command, &folder.path().join("log")).unwrap();
        let error = crate::wait::until("its end", Duration::from_secs(5), || {
            Ok(process.check_running().err())
        });
        let text = error.unwrap().to_string();
        assert!(
            text.contains("exit status: 3") && text.contains("no such flag"),
            "{text}"
        );
    }
}
