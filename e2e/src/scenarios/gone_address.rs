//! Programs that poll addresses that nobody has any more.

use std::thread;

use anyhow::{Result, anyhow};

use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod, Traffic};
use crate::netns::Namespace;

const POLLS: u32 = 25;
/// Milliseconds between two.
const GAP: u32 = 100;
/// Milliseconds between two questions for a neighbour, of which the third is the last: the kernel's 1000 would make
/// every window long.
const RETRANSMISSION: &str = "150";
/// The host that is gone.
const GONE: u8 = 9;

/// Pods `client` and `other`, each on a network of its own, and a monitor on the node.
pub struct GoneAddress<'a> {
    node: &'a Node,
    client: Pod,
    _other: Pod,
    monitor: Container,
}

/// The polls of one program.
#[derive(Debug)]
pub struct Polled {
    /// The program's place and the address.
    pub who: String,
    /// Answers.
    pub answered: u64,
    /// Times that the kernel told the program that the address is unreachable: it had given up the neighbour.
    pub unreachable: u64,
}

/// Lets a device give its neighbours up soon.
pub(super) fn hurry(namespace: &Namespace, device: &str) -> Result<()> {
    for family in ["ipv4", "ipv6"] {
        let name = format!("net.{family}.neigh.{device}.retrans_time_ms");
        namespace.sysctl(&name, RETRANSMISSION)?;
    }
    Ok(())
}

impl Polled {
    /// Polls an address; `place` names the program's.
    pub(super) fn by(traffic: &Traffic<'_>, place: &str, address: &str) -> Result<Self> {
        let facts = traffic.run(&format!("poll {address} 5000 {POLLS} --gap-ms {GAP}"))?;
        Ok(Self {
            who: format!("{place} {address}"),
            answered: facts.get("answered")?,
            unreachable: facts.get("unreachable")?,
        })
    }
}

impl<'a> GoneAddress<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let other = router.pod("other", 1)?;
        hurry(client.namespace(), "eth0")?;
        hurry(node.namespace(), "veth-client")?;
        hurry(node.namespace(), "veth-other")?;
        let monitor = node.start_host_pod("monitor", "monitor")?;
        Ok(Self {
            node,
            client,
            _other: other,
            monitor,
        })
    }

    /// The pod polls on its own network, and through the node on the other one; the node polls as well. All at once.
    pub fn poll(&self) -> Result<Vec<Polled>> {
        let pod = || self.client.traffic(self.node.host());
        let node = || self.node.traffic(&self.monitor);
        thread::scope(|scope| {
            let mut polls = Vec::new();
            for (is_pod, network, number) in
                [(true, 0, GONE), (true, 1, GONE), (false, 1, GONE + 1)]
            {
                for address in [v4(network, number), v6(network, number)] {
                    polls.push(scope.spawn(move || -> Result<Polled> {
                        match is_pod {
                            true => Polled::by(&pod(), "pod", &address),
                            false => Polled::by(&node(), "node", &address),
                        }
                    }));
                }
            }
            let joined = polls.into_iter().map(|poll| poll.join());
            joined
                .map(|poll| poll.map_err(|_| anyhow!("a poll ended early"))?)
                .collect()
        })
    }
}
