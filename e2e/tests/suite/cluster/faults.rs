//! Faults on real nodes, with real pods as victims.

use std::thread;

use netdiag_e2e::nodes::LAB_IMAGE;
use netdiag_e2e::programs;
use serde_json::{Value, json};

use super::installed::Nodes;

/// On node-1: pods `client` and `server` on the node's bridge, and pod `mesh` on the node's network with a program that
/// takes the client's frames and writes them out again. The note that their checksums are unfinished gets lost.
pub struct LostChecksum<'a> {
    nodes: &'a Nodes,
    server: String,
}

impl<'a> LostChecksum<'a> {
    pub fn new(nodes: &'a Nodes) -> Self {
        let serve = ["tcp-serve", "0.0.0.0", "5001", "--seconds", "600"];
        nodes.start_pod("server", "node-1", pod("server", "app", &serve));
        let without = nodes.veths("node-1");
        let idle = ["udp-receive", "0.0.0.0", "9", "--seconds", "600"];
        nodes.start_pod("client", "node-1", pod("client", "app", &idle));
        let with = nodes.veths("node-1");
        let client = with.iter().find(|veth| !without.contains(veth)).unwrap();
        for step in [
            "link add up0 type veth peer name up1",
            "link set up0 up",
            "link set up1 master cni0 up",
            &format!("link set {client} nomaster"),
        ] {
            nodes
                .node("node-1")
                .run("ip", &step.split(' ').collect::<Vec<_>>())
                .unwrap();
        }
        let forward = ["forward", client, "up0", "--seconds", "600"];
        let mut mesh = pod("mesh", "forwarder", &forward);
        mesh["hostNetwork"] = json!(true);
        mesh["containers"][0]["securityContext"] =
            json!({ "capabilities": { "add": ["NET_RAW", "NET_ADMIN"] } });
        nodes.start_pod("mesh", "node-1", mesh);
        let server = nodes.kubectl.get(&["pod", "server"]).unwrap();
        Self {
            nodes,
            server: server["status"]["podIP"].as_str().unwrap().to_owned(),
        }
    }

    /// The result of a function during which the client tries to connect.
    pub fn while_it_talks<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let result = scope.spawn(function);
            while !result.is_finished() {
                self.talk();
            }
            result.join().unwrap()
        })
    }

    /// The client tries to connect.
    pub fn talk(&self) {
        let load = format!("tcp-load {} 5001 --seconds 6 --bytes 200000", self.server);
        let arguments = ["exec", "client", "--", "/netdiag-lab"];
        let arguments = [&arguments[..], &load.split(' ').collect::<Vec<_>>()].concat();
        let said = self.nodes.kubectl.run(&arguments).unwrap();
        assert!(
            said.contains("connected=0"),
            "no connection comes about: {said}"
        );
    }
}

/// On node-2: the node has a second port, enslaved to a bridge, and a switch beyond announces itself.
pub struct Announcements<'a> {
    nodes: &'a Nodes,
}

impl<'a> Announcements<'a> {
    pub fn new(nodes: &'a Nodes) -> Self {
        let node = nodes.node("node-2");
        nodes.beyond(
            "ip",
            &format!(
                "link add sw0 type veth peer name lan0 netns {}",
                node.network()
            ),
        );
        nodes.beyond("ip", "link set sw0 up");
        for step in [
            "link add br0 type bridge",
            "link set br0 up",
            "link set lan0 master br0 up",
        ] {
            node.run("ip", &step.split(' ').collect::<Vec<_>>())
                .unwrap();
        }
        Self { nodes }
    }

    pub fn send(&self, frames: u64) {
        let lab = programs::lab().unwrap().display().to_string();
        self.nodes
            .beyond(&lab, &format!("frames sw0 lldp {frames} --system leaf-3a"));
    }
}

/// The spec of a pod with one container of the tests' own program.
fn pod(name: &str, container: &str, arguments: &[&str]) -> Value {
    json!({
        "hostname": name,
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": container, "image": LAB_IMAGE, "imagePullPolicy": "Never", "args": arguments,
        }],
    })
}
