//! The whole way once, for people: a private control plane, the controller, an agent on a node played by a network
//! namespace, three faults, one diagnosis, and what kubectl shows of it.
//!
//! `cargo xtask demo` sets up and runs it. Everything it makes is gone when it ends, also after Ctrl-C.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{BridgedNics, Fault, LostChecksum};
use netdiag_e2e::{cluster, wait};
use serde_json::{Value, json};

const NODE: &str = "node-17";

/// Shows netdiag at work on a private control plane.
#[derive(Parser)]
struct Args {
    /// The diagnosis to apply
    #[arg(long, default_value = "examples/diagnosis.yaml")]
    diagnosis: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let manifest = std::fs::read_to_string(&args.diagnosis)
        .with_context(|| format!("failed to read {}", args.diagnosis.display()))?;
    let parsed: Value = serde_yaml::from_str(&manifest).context("the diagnosis is no YAML")?;
    let diagnosis = parsed["metadata"]["name"]
        .as_str()
        .context("the diagnosis has no name")?;
    let started = Instant::now();
    let say = |what: &str| eprintln!("[{:>3} s] {what}", started.elapsed().as_secs());

    say("starting etcd and kube-apiserver on loopback");
    let plane = ControlPlane::start()?;
    let kubectl = plane.kubectl();
    say("installing the custom resources");
    kubectl
        .install_crds(&netdiag_crds::schema::yaml().context("failed to make the definitions")?)?;
    kubectl.create_node(NODE, &json!({ "rack": "r1" }))?;
    say(&format!(
        "starting the controller, and the agent on {NODE}, which a network namespace plays"
    ));
    let _controller = cluster::start_controller(&plane)?;
    let node = Node::new(NODE)?;
    let _agent = node.start_agent(&plane)?;

    say("fault 1: eth0 and eth1 become ports of br0, which makes them promiscuous");
    let nics = BridgedNics::new(&node)?;
    nics.build_bridge()?;
    say("fault 2: a program between pods client and server loses their checksums");
    let pods = LostChecksum::new(&node, Fault::HalfMade)?;
    say(&format!("kubectl apply -f {}", args.diagnosis.display()));
    kubectl.apply(&manifest)?;
    cluster::wait_until_running(&kubectl, diagnosis, NODE)?;
    say("fault 3: switches announce themselves by LLDP, and nobody on the node listens");
    thread::scope(|scope| {
        let announced = scope.spawn(|| nics.announce(20));
        say("the client talks to the server and gets no answer");
        pods.talk(20)?;
        announced
            .join()
            .map_err(|_| anyhow::anyhow!("the announcements ended early"))?
    })?;
    show(&kubectl, &["get", "nnd"])?;
    say("waiting for the rest of the window");
    cluster::wait_until_complete(&kubectl, diagnosis, wait::LIMIT)?;
    // A report's last write may come a moment after the roll-up that it caused.
    wait::until("the report's columns", wait::LIMIT, || {
        let report = kubectl.get(&["nnr", NODE])?;
        Ok(report["status"]["summary"]["findings"]
            .is_number()
            .then_some(()))
    })?;
    show(&kubectl, &["get", "nnd"])?;
    show(&kubectl, &["get", "nnd", diagnosis, "-o", "yaml"])?;
    show(&kubectl, &["get", "nnr"])?;
    say("cleaning up");
    Ok(())
}

/// Prints a kubectl command and what it prints.
fn show(kubectl: &Kubectl, arguments: &[&str]) -> Result<()> {
    println!(
        "$ kubectl {}\n{}",
        arguments.join(" "),
        kubectl.run(arguments)?
    );
    Ok(())
}
