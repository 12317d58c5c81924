//! Nodes and pods that do not forward, where others need it and where nobody does.

use anyhow::Result;

use super::router::{GATEWAY, Router, v4, v6};
use crate::lab::{Node, Pod, Wire};
use crate::netns::Namespace;
use crate::process::Process;
use crate::wait;

/// Requests over each IP version.
const REQUESTS: u64 = 30;
const PORT: u16 = 5000;
/// Milliseconds that a client waits for each answer once the way is open.
const WAIT_MS: u64 = 500;
/// Network between a pod that forwards and a host.
const BEYOND: u8 = 2;
/// An address behind nothing here.
const NOWHERE: [&str; 2] = ["203.0.113.7", "2001:db8:7::7"];

/// A client, and who was to forward for it.
pub struct MissingForwarding<'a> {
    node: &'a Node,
    client: Pod,
    /// The server, or the pod that was to forward.
    other: Pod,
    host: Option<Wire>,
    /// Addresses of the server, IPv4 and IPv6.
    servers: [String; 2],
    _programs: Vec<Process>,
}

/// The kernel's counts while the client asked, IPv4 and IPv6.
#[derive(Debug)]
pub struct NotForwarded {
    /// Requests of each version.
    pub asked: u64,
    /// Answers.
    pub answered: u64,
    /// Increase of Ip.InAddrErrors where nothing was forwarded.
    pub refused4: u64,
    /// Increase of Ip6InAddrErrors there.
    pub refused6: u64,
}

impl<'a> MissingForwarding<'a> {
    /// A node between two pods, which has been switched to forward nothing.
    pub fn of_node(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let server = router.pod("server", 1)?;
        let servers = [v4(1, 1), v6(1, 1)];
        let program = server.traffic(node.host()).start(&format!(
            "answer {} {PORT} --seconds 300",
            servers.join(",")
        ))?;
        let this = Self {
            node,
            client,
            other: server,
            host: None,
            servers,
            _programs: vec![program],
        };
        this.wait_for_answers()?;
        forward(node.namespace(), false)?;
        Ok(this)
    }

    /// A pod between the node and a host, which forwards nothing.
    pub fn of_pod(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let gateway = router.pod("gateway", 1)?;
        let host = router.host_behind(&gateway, 1, BEYOND)?;
        let this = Self {
            node,
            client,
            other: gateway,
            host: Some(host),
            servers: [v4(BEYOND, 1), v6(BEYOND, 1)],
            _programs: Vec::new(),
        };
        this.wait_for_answers()?;
        forward(this.other.namespace(), false)?;
        Ok(this)
    }

    /// A node without forwarding, whose pods only speak with the node itself. A host beyond a NIC takes the node for its
    /// gateway to an address that is nowhere here, and a pod takes another pod for that.
    pub fn of_plain_hosts(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let plug = |name: &str, host| router.plug(name, &format!("veth-{name}"), 0, host);
        let (client, server) = (plug("client", 1)?, plug("server", 2)?);
        node.namespace()
            .add_bridge("br0", "mcast_snooping 0", &["veth-client", "veth-server"])?;
        router.assign("br0", 0)?;
        // A host on the wire, which is no namespace behind a veth.
        let host = node.plug_filtering_nic("eth0")?;
        router.assign("eth0", BEYOND)?;
        let beyond = host.namespace();
        beyond.sysctl("net.ipv6.conf.wire0.disable_ipv6", "0")?;
        for (place, network, number, via) in
            [(beyond, BEYOND, 1, GATEWAY), (client.namespace(), 0, 1, 2)]
        {
            let device = if network == BEYOND { "wire0" } else { "eth0" };
            if network == BEYOND {
                let [address4, address6] = [v4(network, number), v6(network, number)];
                place.ip(&format!("address add {address4}/24 dev {device}"))?;
                place.ip(&format!("address add {address6}/64 dev {device} nodad"))?;
            }
            for (address, gateway) in NOWHERE.iter().zip([v4(network, via), v6(network, via)]) {
                place.ip(&format!("route add {address} via {gateway} dev {device}"))?;
            }
        }
        // IPv6 looks for a route before it asks whether to forward.
        let default = format!("-6 route add default via {} dev eth0", v6(BEYOND, 1));
        node.namespace().ip(&default)?;
        let this = Self {
            node,
            client,
            other: server,
            host: Some(host),
            servers: [v4(0, GATEWAY), v6(0, GATEWAY)],
            _programs: Vec::new(),
        };
        this.wait_for_answers()?;
        forward(node.namespace(), false)?;
        Ok(this)
    }

    /// The namespace that does not forward.
    pub fn place(&self) -> &Namespace {
        match self.host {
            Some(_) => self.other.namespace(),
            None => self.node.namespace(),
        }
    }

    /// The client asks over both versions.
    pub fn ask(&self) -> Result<NotForwarded> {
        let place = self.place();
        let read = || -> Result<[u64; 2]> {
            Ok([
                place.protocol_counter("Ip", "InAddrErrors")?,
                place.protocol_counter("Ip6", "InAddrErrors")?,
            ])
        };
        let before = read()?;
        let client = self.client.traffic(self.node.host());
        for address in &self.servers {
            client.run(&format!("ask {address} {PORT} {REQUESTS}"))?;
        }
        let answered = self.answered()?;
        let after = read()?;
        Ok(NotForwarded {
            asked: REQUESTS,
            answered,
            refused4: after[0] - before[0],
            refused6: after[1] - before[1],
        })
    }

    /// A host and a pod send to where nothing is; returns the datagrams of both versions that node and pod refused.
    pub fn send_to_nowhere(&self) -> Result<[u64; 2]> {
        let count = |place: &Namespace| -> Result<u64> {
            let of4 = place.protocol_counter("Ip", "InAddrErrors")?;
            Ok(of4 + place.protocol_counter("Ip6", "InAddrErrors")?)
        };
        let read = || -> Result<[u64; 2]> {
            Ok([
                count(self.node.namespace())?,
                count(self.other.namespace())?,
            ])
        };
        let before = read()?;
        for address in NOWHERE {
            let send = format!("udp-send {address} {PORT} {REQUESTS}");
            if let Some(host) = &self.host {
                host.run(&send)?;
            }
            self.client.traffic(self.node.host()).run(&send)?;
        }
        let after = read()?;
        Ok([after[0] - before[0], after[1] - before[1]])
    }

    /// The versions over which the server answers the client now.
    pub fn answered(&self) -> Result<u64> {
        let client = self.client.traffic(self.node.host());
        let mut answered = 0;
        for address in &self.servers {
            let command = match self.host {
                Some(_) => format!("ping {address} 1"),
                None => format!("ask {address} {PORT} 1 --wait-ms {WAIT_MS}"),
            };
            answered += client.run(&command)?.get("answered")?;
        }
        Ok(answered)
    }

    /// Waits until there is an answer over both versions: addresses and neighbours take a moment.
    pub fn wait_for_answers(&self) -> Result<()> {
        wait::until("answers over both IP versions", wait::LIMIT, || {
            Ok((self.answered()? == 2).then_some(()))
        })
    }
}

fn forward(place: &Namespace, is_on: bool) -> Result<()> {
    let value = if is_on { "1" } else { "0" };
    place.sysctl("net.ipv4.ip_forward", value)?;
    place.sysctl("net.ipv6.conf.all.forwarding", value)
}
