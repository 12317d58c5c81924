//! A pod with two devices: what it sends on one has the other's address, so that the node's way back is another.

use anyhow::Result;

use super::router::{Router, v4};
use crate::lab::{Node, Pod};
use crate::process::Process;

/// Connections to the server.
const CONNECTIONS: u64 = 3;
/// A SYN is sent three times in 3.2 seconds.
const THREE_TIMES: u64 = 3_200;
/// Milliseconds for a SYN to be refused.
const MOMENT: u64 = 200;
const PORT: u16 = 5001;
/// The pod's gateway, which no device has: the node answers for it, as Calico lets it.
const LINK_GATEWAY: &str = "169.254.1.1";
/// Network of the pod's second device.
const SECOND: u8 = 7;

/// Values of the reverse path filter.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// `net.ipv4.conf.all.rp_filter`.
    pub all: u8,
    /// The value of the device that the packets come by.
    pub own: u8,
    /// The device has an address of its own.
    pub has_address: bool,
}

/// Pod `client` with `eth0` behind `veth-client` and `eth1` behind `veth-second`, and pod `server`.
pub struct ReversePaths<'a> {
    node: &'a Node,
    client: Pod,
    _server: Pod,
    _programs: Vec<Process>,
}

impl<'a> ReversePaths<'a> {
    /// Starts the pods and sets the filter of the node.
    pub fn new(node: &'a Node, filter: Filter) -> Result<Self> {
        let router = Router::new(node)?;
        let server = router.pod("server", 1)?;
        let client = router.plug("client", "veth-client", 0, 1)?;
        let (inside, pod) = (node.namespace(), client.namespace());
        pod.ip(&format!(
            "link add eth1 type veth peer name veth-second netns {}",
            inside.name()
        ))?;
        pod.ip(&format!("address add {}/32 dev eth1", v4(SECOND, 1)))?;
        pod.ip("link set eth1 up")?;
        inside.ip("link set veth-second up")?;
        inside.ip(&format!("route add {}/32 dev veth-second", v4(SECOND, 1)))?;
        inside.ip(&format!("route add {}/32 dev veth-client", v4(0, 1)))?;
        if filter.has_address {
            inside.ip("address add 10.99.9.9/32 dev veth-client")?;
        }
        for place in ["all", "eth0", "eth1"] {
            pod.sysctl(&format!("net.ipv4.conf.{place}.rp_filter"), "0")?;
        }
        // The filter refuses the pod's question for the gateway as well, whose source is the same.
        let gateway = inside.run("cat", &["/sys/class/net/veth-client/address"])?;
        pod.ip(&format!(
            "neigh add {LINK_GATEWAY} lladdr {} dev eth0",
            gateway.trim()
        ))?;
        pod.ip(&format!(
            "route add {}/32 via {LINK_GATEWAY} dev eth0 onlink src {}",
            v4(1, 1),
            v4(SECOND, 1)
        ))?;
        for (place, value) in [
            ("all", filter.all),
            ("veth-client", filter.own),
            ("veth-second", 0),
            ("veth-server", 0),
        ] {
            let name = format!("net.ipv4.conf.{place}.rp_filter");
            inside.sysctl(&name, &value.to_string())?;
        }
        let serve = format!("tcp-answer {} {PORT} --seconds 300", v4(1, 1));
        let program = server.traffic(node.host()).start(&serve)?;
        Ok(Self {
            node,
            client,
            _server: server,
            _programs: vec![program],
        })
    }

    /// The client connects from its second address; returns how many connections came about, and the packets that the
    /// filter refused meanwhile (increase of TcpExt.IPReversePathFilter).
    pub fn connect(&self) -> Result<(u64, u64)> {
        self.connect_within(THREE_TIMES)
    }

    /// The same once, for a moment only: the filter refuses some.
    pub fn is_refused(&self) -> Result<bool> {
        let (connected, refused) = self.connect_within(MOMENT)?;
        Ok(connected == 0 && refused > 0)
    }

    fn connect_within(&self, wait_ms: u64) -> Result<(u64, u64)> {
        let node = self.node.namespace();
        let refused = || node.protocol_counter("TcpExt", "IPReversePathFilter");
        let before = refused()?;
        let connect = format!(
            "tcp-connect {} {PORT} {CONNECTIONS} --wait-ms {wait_ms}",
            v4(1, 1)
        );
        let facts = self.client.traffic(self.node.host()).run(&connect)?;
        Ok((facts.get("connected")?, refused()? - before))
    }
}
