//! Starts the cluster's process, shows what it says, and leaves it running.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use netdiag_e2e::cleanup::Undo;

use crate::down::{down, end};
use crate::record::{self, Reach, Record};

const POLL: Duration = Duration::from_millis(200);

/// Starts a cluster, unless one is up; says how to use it.
pub fn up(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    match Record::read(folder)? {
        Some(record) if record.is_alive() => {
            let Some(reach) = record.reach else {
                bail!("process {} is starting a cluster just now", record.process);
            };
            println!("The cluster is already up.\n{}", hints(&reach));
            return Ok(());
        }
        Some(_) => down(folder)?,
        None => {}
    }
    let started = Instant::now();
    let reach = start(folder)?;
    println!(
        "The cluster is up after {} s, with node-1 and node-2.\n{}",
        started.elapsed().as_secs(),
        hints(&reach)
    );
    Ok(())
}

fn start(folder: &Path) -> Result<Reach> {
    let log = record::log(folder);
    let output =
        File::create(&log).with_context(|| format!("failed to create {}", log.display()))?;
    let own = env::current_exe().context("failed to find this program's own path")?;
    // A session of its own: the terminal's Ctrl-C and its end are not for it.
    let mut supervisor = Command::new("setsid");
    supervisor.arg(own).arg("--folder").arg(folder);
    supervisor.arg("supervise").stdin(Stdio::null());
    supervisor.stdout(output.try_clone().context("failed to share the log")?);
    let child = supervisor.stderr(output).spawn();
    let mut child = child.context("failed to start the cluster's process")?;
    let process = child.id();
    let is_starting = Arc::new(AtomicBool::new(true));
    let unwanted = Arc::clone(&is_starting);
    // Ctrl-C while it starts means that nobody wants it.
    let _undo = Undo::register(move || {
        if unwanted.load(Ordering::Relaxed) {
            eprintln!("the cluster's process cleans up after itself; that takes some seconds");
            if let Err(error) = end(process) {
                eprintln!("{error:#}");
            }
        }
    });
    let reach = follow(folder, &mut child);
    is_starting.store(false, Ordering::Relaxed);
    reach
}

/// Shows what the process says until the cluster can be reached.
fn follow(folder: &Path, child: &mut Child) -> Result<Reach> {
    let log = record::log(folder);
    let mut shown = 0;
    loop {
        let ended = child.try_wait().context("failed to wait for the cluster")?;
        let said = fs::read_to_string(&log).unwrap_or_default();
        // A line that is not yet whole is shown when it is.
        let whole = said.rfind('\n').map_or(0, |end| end + 1);
        if let Some(new) = said.get(shown..whole) {
            eprint!("{new}");
            shown = whole;
        }
        if let Some(status) = ended {
            bail!(
                "the cluster did not start ({status}); its log is {}",
                log.display()
            );
        }
        if let Some(reach) = Record::read(folder)?.and_then(|record| record.reach) {
            return Ok(reach);
        }
        thread::sleep(POLL);
    }
}

fn hints(reach: &Reach) -> String {
    let Reach {
        network,
        kubeconfig,
        ..
    } = reach;
    let kubeconfig = kubeconfig.display();
    format!(
        "It stays until `cargo xtask cluster down`.

A shell in which kubectl and helm reach it:
    cargo xtask cluster shell
There, install the netdiag of this checkout and see whether it works:
    helm install netdiag charts/netdiag -n netdiag-system --create-namespace --set image.registry=localhost --wait
    helm test netdiag -n netdiag-system
Then have both nodes looked at:
    kubectl apply -f examples/diagnosis.yaml
    kubectl get nnd -w

For programs of your own, in its network (`ip netns exec {network} ..`):
    export KUBECONFIG={kubeconfig}"
    )
}
