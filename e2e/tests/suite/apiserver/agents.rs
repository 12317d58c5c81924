//! Agents in this process: real from their watch to their writer, while a test says what their windows see and when they
//! end. So nothing depends on the kernel below or on the speed of the machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use netdiag_agent::recording;
use netdiag_agent::run::simulated::{Played, Simulation};
use netdiag_client::connect;
use netdiag_diagnosis::EvidenceWindow;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// An agent at work until it is dropped.
pub struct Agent {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts the agent of a node with the rights of a kubeconfig file.
    pub fn start(kubeconfig: &Path, node: &str, windows: Simulation) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (stop, stopped) = oneshot::channel();
        let (kubeconfig, node) = (kubeconfig.to_owned(), node.to_owned());
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let config = connect::config(Some(&kubeconfig)).await.unwrap();
                let client = connect::client(config).unwrap();
                tokio::select! {
                    () = windows.work(client, node) => {}
                    _ = stopped => {}
                }
            });
            // Windows that are not over stay behind until the test ends.
            runtime.shutdown_background();
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; a test that waits for its results fails.
            let _ = thread.join();
        }
    }
}

/// Windows on a healthy node. Each ends when its diagnosis' name is let through.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<BTreeSet<String>>>);

impl Gate {
    /// Lets the windows of a diagnosis end, the present one and the later ones.
    pub fn open(&self, diagnosis: &str) {
        locked(&self.0).insert(diagnosis.to_owned());
    }

    /// The windows.
    pub fn windows(&self) -> Simulation {
        let (healthy, open) = (healthy(), Arc::clone(&self.0));
        Simulation::played(move |diagnosis| {
            if !locked(&open).contains(diagnosis) {
                return Played::NotOver;
            }
            Played::Evidence(Box::new(ending_after(healthy.clone(), Duration::ZERO)))
        })
    }
}

/// A window on a node without anything to act on.
pub fn healthy() -> EvidenceWindow {
    evidence("other_drop", "twins.idle_node")
}

/// The recorded window of a scenario.
pub fn evidence(check: &str, scenario: &str) -> EvidenceWindow {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../agent/diagnosis/src/detectors"
    );
    let path = format!("{folder}/{check}/testdata/6.12/{scenario}.json.gz");
    recording::read(Path::new(&path)).unwrap().evidence
}

/// The same evidence of a window that ends so long after now.
pub fn ending_after(mut window: EvidenceWindow, later: Duration) -> EvidenceWindow {
    let end = SystemTime::now() + later;
    let end = end.duration_since(UNIX_EPOCH).unwrap();
    let start = end - Duration::from_millis(window.duration_ms);
    window.start_unix_ms = start.as_millis().try_into().unwrap();
    window
}

/// The content of a mutex, also after a panic.
pub fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
