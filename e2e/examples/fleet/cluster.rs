//! A fleet in one process beside a controller of its own.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use netdiag_agent::{recording, run::simulated::Simulation};
use netdiag_client::{
    bounded::Deadlines,
    testing::{DIAGNOSES, NODES, REPORTS, Request, Server},
};
use netdiag_e2e::{http, process::Process, programs};
use serde_json::{Value, json};
use tokio::{runtime::Builder, task::LocalSet};

use crate::measured::{Counts, Measured};

/// The window of every node: drops in the path of a VM, and the everyday findings beside them.
const RECORDING: &str =
    "agent/diagnosis/src/detectors/tap_queue_drop/testdata/6.12/tap.macvtap_queue_overflow.json.gz";
/// Kubelets write their nodes' status so often, though nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// Windows of all nodes that run at a time.
const MOST_WINDOWS: usize = 20_000;
/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(540);

/// A fleet and its controller.
pub struct Cluster {
    nodes: usize,
    server: Server,
    controller: Process,
    address: SocketAddr,
    writes: Arc<Mutex<Counts>>,
    folder: PathBuf,
}

impl Cluster {
    /// So many nodes without reports, their agents, and a controller.
    pub fn start(nodes: usize) -> Result<Self> {
        let server = serve()?;
        for number in 0..nodes {
            let name = node_name(number);
            server.put(NODES, &name, node(&name, number));
        }
        let writes = Arc::<Mutex<Counts>>::default();
        let counted = Arc::clone(&writes);
        server.forget_requests();
        server.fault(move |request| {
            count(&mut counted.lock().expect("no panic"), request);
            None
        });
        start_agents(&server, nodes)?;
        let folder = env::temp_dir().join(format!("netdiag-bench-{}-{nodes}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let kubeconfig = folder.join("kubeconfig");
        fs::write(&kubeconfig, server.kubeconfig())?;
        let mut command = Command::new(programs::controller()?);
        command
            .args(["run", "--listen", "127.0.0.1:0", "--kubeconfig"])
            .arg(&kubeconfig);
        command.env("NETDIAG_LOG", "warn,netdiag_telemetry=info");
        let controller = Process::start("controller", command, &folder.join("controller.log"))?;
        let address = address(&controller)?;
        Ok(Self {
            nodes,
            server,
            controller,
            address,
            writes,
            folder,
        })
    }

    /// Waits until every agent has written that it is there.
    pub fn wait_for_agents(&mut self) -> Result<()> {
        let (server, nodes) = (self.server.clone(), self.nodes);
        self.until("every agent", || {
            let ready = |name: &String| {
                let report = server.get(REPORTS, name);
                report.is_some_and(|report| report["status"]["agent"].is_object())
            };
            let names = server.names(REPORTS);
            names.len() == nodes && names.iter().all(ready)
        })
    }

    /// Makes diagnoses over all nodes and waits for their end.
    pub fn diagnose(&mut self, diagnoses: usize, window: i32) -> Result<()> {
        let names: Vec<String> = (0..diagnoses).map(|number| format!("d{number}")).collect();
        for name in &names {
            let diagnosis = json!({
                "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetDiagnosis",
                "metadata": {"name": name, "uid": format!("uid-of-{name}"), "generation": 1},
                "spec": {"nodes": {"all": true}, "once": {"durationSeconds": window}},
            });
            self.server.put(DIAGNOSES, name, diagnosis);
        }
        let server = self.server.clone();
        let status = |name: &String| {
            let diagnosis = server.get(DIAGNOSES, name).unwrap_or_default();
            diagnosis["status"].clone()
        };
        self.until("the end", || {
            names
                .iter()
                .all(|name| status(name)["completionTime"].is_string())
        })?;
        for name in &names {
            let status = status(name);
            let (counts, expected) = (&status["nodes"], json!(self.nodes));
            ensure!(
                counts["reported"] == expected && counts["selected"] == expected,
                "{name} ended with {counts}: {}",
                status["conditions"]
            );
        }
        Ok(())
    }

    /// Lets kubelets write their heartbeats.
    pub fn beat(&mut self, time: Duration) -> Result<()> {
        let pause = HEARTBEAT / u32::try_from(self.nodes)?;
        let began = Instant::now();
        for number in (0..self.nodes).cycle() {
            if began.elapsed() >= time {
                break;
            }
            self.server.edit(NODES, &node_name(number), |node| {
                let seconds = began.elapsed().as_secs();
                let stamp = format!(
                    "2026-01-01T00:{:02}:{:02}Z",
                    seconds / 60 % 60,
                    seconds % 60
                );
                node["status"]["conditions"][0]["lastHeartbeatTime"] = json!(stamp);
            });
            thread::sleep(pause);
        }
        self.controller.check_running()
    }

    /// Measures what happens.
    pub fn measure(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Measured> {
        let before = self.counts()?;
        let began = Instant::now();
        act(self)?;
        let seconds = began.elapsed().as_secs_f64();
        // Watches bring the last writes, and passes over them follow.
        thread::sleep(Duration::from_secs(6));
        Ok(Measured {
            nodes: self.nodes,
            what: what.to_owned(),
            seconds,
            counts: self.counts()?.since(&before),
            memory: (self.memory("VmRSS:")?, self.memory("VmHWM:")?),
        })
    }

    fn counts(&self) -> Result<Counts> {
        let metrics = http::get(self.address, "/metrics")?;
        let passes = |controller: &str| {
            let of = format!("netdiag_controller_reconcile_total{{controller=\"{controller}\"");
            let lines = metrics.lines().filter(|line| line.starts_with(&of));
            let numbers = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
            numbers.sum()
        };
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.controller.id()))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        // utime and stime, the 14th and 15th field; the 3rd is the first one here.
        let ticks = after_name.split_whitespace().skip(11).take(2);
        Ok(Counts {
            node_passes: passes("report"),
            diagnosis_passes: passes("diagnosis"),
            ticks: ticks.filter_map(|field| field.parse::<u64>().ok()).sum(),
            ..self.writes.lock().expect("no panic").clone()
        })
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.controller.id()))?;
        let line = status.lines().find(|line| line.starts_with(field));
        let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        Ok(kibibytes.context("no memory of the controller")? >> 10)
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        while !holds() {
            self.controller.check_running()?;
            if began.elapsed() > PATIENCE {
                let columns: Vec<Value> = self
                    .server
                    .names(DIAGNOSES)
                    .iter()
                    .map(|name| {
                        let diagnosis = self.server.get(DIAGNOSES, name).unwrap_or_default();
                        diagnosis["status"]["summary"].clone()
                    })
                    .collect();
                bail!(
                    "{what} did not come: {columns:?}\n{}",
                    self.controller.log_tail()
                );
            }
            thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.controller.terminate();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A server on a thread of its own.
fn serve() -> Result<Server> {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("threads can be had");
        runtime.block_on(async {
            let _ = sender.send(Server::start().await);
            std::future::pending::<()>().await;
        });
    });
    receiver.recv()?.context("no free port")
}

/// The agents of all nodes, on a thread of their own.
fn start_agents(server: &Server, nodes: usize) -> Result<()> {
    let simulation = Simulation::of(recording::read(Path::new(RECORDING))?.evidence);
    let server = server.clone();
    thread::spawn(move || {
        // Each window takes a thread, and the nodes of a run watch together.
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MOST_WINDOWS)
            .build();
        let runtime = runtime.expect("threads can be had");
        let agents = LocalSet::new();
        runtime.block_on(agents.run_until(async {
            let client = server.client(Deadlines::default());
            let client = client.expect("plain HTTP");
            for number in 0..nodes {
                let agent = simulation.clone().work(client.clone(), node_name(number));
                tokio::task::spawn_local(agent);
            }
            std::future::pending::<()>().await;
        }));
    });
    Ok(())
}

fn node_name(number: usize) -> String {
    format!("node-{number:05}.example.internal")
}

/// A node as large as a real one.
fn node(name: &str, number: usize) -> Value {
    let images: Vec<Value> = (0..40)
        .map(|image| json!({"names": [format!("registry.example/{image}@sha256:{image:064}")], "sizeBytes": 1}))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": format!("uid-of-{name}"),
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": format!("zone-{}", number % 3), "pool": format!("pool-{}", number % 7),
            },
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}],
            "images": images,
            "nodeInfo": {
                "architecture": "amd64", "bootID": "b", "containerRuntimeVersion": "c", "kernelVersion": "6.12.0",
                "kubeProxyVersion": "p", "kubeletVersion": "k", "machineID": "m", "operatingSystem": "linux",
                "osImage": "Debian", "systemUUID": "s",
            },
        },
    })
}

fn count(counts: &mut Counts, request: &Request) {
    let bytes = u64::try_from(request.bytes).unwrap_or_default();
    if request.writes(DIAGNOSES) {
        counts.status_writes += 1;
        counts.status_bytes += bytes;
    } else if request.writes(REPORTS) && request.path.ends_with("/status") {
        counts.reported += 1;
        counts.reported_bytes += bytes;
    } else if request.writes(REPORTS) {
        counts.assigned += 1;
    }
}

/// The port that a program has logged.
fn address(process: &Process) -> Result<SocketAddr> {
    let began = Instant::now();
    loop {
        process.check_running()?;
        let said = process.log_tail();
        let address = said.split("address=").nth(1);
        let address = address.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        if let Some(address) = address {
            return Ok(address);
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "the controller did not say its port"
        );
        thread::sleep(Duration::from_millis(100));
    }
}
