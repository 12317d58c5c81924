//! Faults on real nodes, with real pods as victims.

use netdiag_e2e::netns;
use netdiag_e2e::programs;
use serde_json::{Value, json};

use super::installed::{Installed, LAB_IMAGE};

/// On node-1: pods `client` and `server` on the node's bridge, and pod `mesh` on the node's network with a program that
/// takes the client's frames and writes them out again. The note that their checksums are unfinished gets lost.
pub struct LostChecksum<'a> {
    installed: &'a Installed,
    server: String,
}

impl<'a> LostChecksum<'a> {
    pub fn new(installed: &'a Installed) -> Self {
        let serve = ["tcp-serve", "0.0.0.0", "5001", "--seconds", "600"];
        installed.start_pod("server", "node-1", pod("server", "app", &serve));
        let without = installed.veths("node-1");
        let idle = ["udp-receive", "0.0.0.0", "9", "--seconds", "600"];
        installed.start_pod("client", "node-1", pod("client", "app", &idle));
        let with = installed.veths("node-1");
        let client = with.iter().find(|veth| !without.contains(veth)).unwrap();
        for step in [
            "link add up0 type veth peer name up1",
            "link set up0 up",
            "link set up1 master cni0 up",
            &format!("link set {client} nomaster"),
        ] {
            installed
                .node("node-1")
                .run("ip", &step.split(' ').collect::<Vec<_>>())
                .unwrap();
        }
        let forward = ["forward", client, "up0", "--seconds", "600"];
        let mut mesh = pod("mesh", "forwarder", &forward);
        mesh["hostNetwork"] = json!(true);
        mesh["containers"][0]["securityContext"] =
            json!({ "capabilities": { "add": ["NET_RAW", "NET_ADMIN"] } });
        installed.start_pod("mesh", "node-1", mesh);
        let server = installed.kubectl.get(&["pod", "server"]).unwrap();
        Self {
            installed,
            server: server["status"]["podIP"].as_str().unwrap().to_owned(),
        }
    }

    /// The client tries to connect.
    pub fn talk(&self) {
        let load = format!("tcp-load {} 5001 --seconds 6 --bytes 200000", self.server);
        let arguments = ["exec", "client", "--", "/netdiag-lab"];
        let arguments = [&arguments[..], &load.split(' ').collect::<Vec<_>>()].concat();
        let said = self.installed.kubectl.run(&arguments).unwrap();
        assert!(
            said.contains("connected=0"),
            "no connection comes about: {said}"
        );
    }
}

/// On node-2: the node's port is enslaved to a bridge, and a switch beyond announces itself.
pub struct Announcements<'a> {
    installed: &'a Installed,
}

impl<'a> Announcements<'a> {
    pub fn new(installed: &'a Installed) -> Self {
        let node = installed.node("node-2");
        // Its address and routes move to the bridge in one go, or the node would be cut off from its API server.
        let steps = "ip link add br0 type bridge && ip link set br0 address $(cat /sys/class/net/eth0/address) && \
                     ip link set br0 up && ip address add 172.30.0.12/24 dev br0 && ip link set eth0 master br0 && \
                     ip address del 172.30.0.12/24 dev eth0 && ip route add default via 172.30.0.1 && \
                     ip route add 10.244.1.0/24 via 172.30.0.11";
        // /sys shows the devices of the network in which it was mounted.
        let steps = steps.replace(
            "$(cat /sys/class/net/eth0/address)",
            "$(ip -o link show eth0 | grep -o 'ether [^ ]*' | cut -d' ' -f2)",
        );
        node.run("sh", &["-c", &steps]).unwrap();
        Self { installed }
    }

    pub fn send(&self, frames: u64) {
        let mut command = self
            .installed
            .cluster
            .command_beyond(&programs::lab().unwrap());
        command.args([
            "frames",
            "node2",
            "lldp",
            &frames.to_string(),
            "--system",
            "leaf-3a",
        ]);
        netns::run(&mut command).unwrap();
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
