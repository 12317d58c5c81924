//! A node that forwards for its pods, over IPv4 and IPv6.

use anyhow::Result;

use crate::lab::{Node, Pod, Wire};

/// A node whose pods have a wire of their own each, and the node as their gateway.
pub(super) struct Router<'a>(pub &'a Node);

impl<'a> Router<'a> {
    /// Lets the node forward.
    pub fn new(node: &'a Node) -> Result<Self> {
        let inside = node.namespace();
        inside.sysctl("net.ipv6.conf.all.disable_ipv6", "0")?;
        inside.sysctl("net.ipv6.conf.default.disable_ipv6", "0")?;
        inside.sysctl("net.ipv4.ip_forward", "1")?;
        inside.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        Ok(Self(node))
    }

    /// A pod on `veth-NAME`, with the addresses [`v4`] and [`v6`] of this network and host number 1.
    pub fn pod(&self, name: &str, network: u8) -> Result<Pod> {
        let wire = format!("veth-{name}");
        let pod = self.plug(name, &wire, network, 1)?;
        self.assign(&wire, network)?;
        Ok(pod)
    }

    /// A pod on `veth-NAME`, without a gateway's address on that wire: it is to become a port of a bridge.
    pub fn plug(&self, name: &str, wire: &str, network: u8, host: u8) -> Result<Pod> {
        let pod = self
            .0
            .start_pod(name, &format!("{}/24", v4(network, host)), wire)?;
        pod.add_ipv6(&format!("{}/64", v6(network, host)))?;
        let inside = pod.namespace();
        // The kernel's ICMPv6 errors to a program of the pod come that way.
        inside.sysctl("net.ipv6.conf.lo.disable_ipv6", "0")?;
        let [gateway4, gateway6] = [v4(network, GATEWAY), v6(network, GATEWAY)];
        inside.ip(&format!("route add default via {gateway4}"))?;
        inside.ip(&format!("-6 route add default via {gateway6} dev eth0"))?;
        Ok(pod)
    }

    /// A host behind host number 1 of network `via`, a pod that forwards for it: on a wire `eth1` of that pod, with host
    /// number 1 of network `network`.
    pub fn host_behind(&self, pod: &Pod, via: u8, network: u8) -> Result<Wire> {
        let host = self.0.plug_veth_into(pod.namespace(), "eth1")?;
        let [inside, beyond] = [pod.namespace(), host.namespace()];
        for place in ["eth1", "all"] {
            inside.sysctl(&format!("net.ipv6.conf.{place}.disable_ipv6"), "0")?;
        }
        beyond.sysctl("net.ipv6.conf.wire0.disable_ipv6", "0")?;
        for (namespace, device, number) in [(inside, "eth1", GATEWAY), (beyond, host.device, 1)] {
            let [address4, address6] = [v4(network, number), v6(network, number)];
            namespace.ip(&format!("address add {address4}/24 dev {device}"))?;
            namespace.ip(&format!("address add {address6}/64 dev {device} nodad"))?;
        }
        beyond.ip(&format!("route add default via {}", v4(network, GATEWAY)))?;
        beyond.ip(&format!(
            "-6 route add default via {}",
            v6(network, GATEWAY)
        ))?;
        let prefixes = [
            format!("10.88.{network}.0/24"),
            format!("fd88:{network}::/64"),
        ];
        for (prefix, via) in prefixes.iter().zip([v4(via, 1), v6(via, 1)]) {
            self.0
                .namespace()
                .ip(&format!("route add {prefix} via {via}"))?;
        }
        inside.sysctl("net.ipv4.ip_forward", "1")?;
        inside.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        Ok(host)
    }

    /// Gives a device of the node the gateway's addresses.
    pub fn assign(&self, device: &str, network: u8) -> Result<()> {
        let inside = self.0.namespace();
        let [gateway4, gateway6] = [v4(network, GATEWAY), v6(network, GATEWAY)];
        inside.ip(&format!("address add {gateway4}/24 dev {device}"))?;
        inside.ip(&format!("address add {gateway6}/64 dev {device} nodad"))?;
        Ok(())
    }
}

/// Host number of the node in each network.
pub(super) const GATEWAY: u8 = 254;

/// An IPv4 address.
pub(super) fn v4(network: u8, host: u8) -> String {
    format!("10.88.{network}.{host}")
}

/// An IPv6 address.
pub(super) fn v6(network: u8, host: u8) -> String {
    format!("fd88:{network}::{host}")
}
