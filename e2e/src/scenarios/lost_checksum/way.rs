//! The path between the client and the server, for each fault.

use anyhow::Result;

use super::Fault;
use crate::lab::{Node, Pod};

/// IPv4 and IPv6 address of the client, with their prefixes.
pub(super) const CLIENT: (&str, &str) = ("10.77.0.1/24", "fd77::1/64");
/// Of the server, in the client's network.
const NEAR_SERVER: (&str, &str) = ("10.77.0.2", "fd77::2");
/// Of the server behind the node's routes.
const ROUTED_SERVER: (&str, &str) = ("10.77.1.2", "fd77:1::2");
/// The node, for the client and for the server.
const GATEWAYS: [(&str, &str); 2] = [("10.77.0.254", "fd77::254"), ("10.77.1.254", "fd77:1::254")];
/// Translated by connection tracking.
const SERVICE: (&str, &str) = ("10.96.0.10", "fd96::10");
/// Translated by a rule that writes the address into the packet.
const STATELESS_SERVICE: (&str, &str) = ("10.96.0.11", "fd96::11");

/// The way of packets from one pod to the other.
pub(super) struct Way {
    fault: Fault,
    /// The server's own addresses.
    pub(super) server: (&'static str, &'static str),
    /// Addresses by which the client knows it.
    pub(super) targets: &'static [&'static str],
    /// The devices between which the program passes frames on.
    pub(super) program: &'static str,
}

impl Way {
    pub(super) fn of(fault: Fault) -> Self {
        let near = &[NEAR_SERVER.0, NEAR_SERVER.1];
        let (server, targets, program): (_, &'static [&'static str], _) = match fault {
            Fault::HalfMade => (NEAR_SERVER, near, "veth-client veth-server"),
            Fault::NoteKept | Fault::FlippedBits => {
                (NEAR_SERVER, near, "veth-client veth-server --note kept")
            }
            Fault::BrokenBytes => (
                NEAR_SERVER,
                near,
                "veth-client veth-server --break-every 10",
            ),
            Fault::SuperFrames => (
                NEAR_SERVER,
                near,
                "tap0 tap1 --through taps --note lost-of-super-frames",
            ),
            Fault::SuperFramesBySockets => (
                NEAR_SERVER,
                near,
                "veth-client veth-server --note lost-of-super-frames",
            ),
            Fault::HalfMadeByTuns => (
                ROUTED_SERVER,
                &[ROUTED_SERVER.0, ROUTED_SERVER.1],
                "tun0 tun1 --through tuns",
            ),
            Fault::HalfMadeBeforeFilter => (
                ROUTED_SERVER,
                &[ROUTED_SERVER.0, ROUTED_SERVER.1, SERVICE.0, SERVICE.1],
                "veth-client mesh0",
            ),
            Fault::HalfMadeBeforeTranslation => (
                ROUTED_SERVER,
                &[
                    SERVICE.0,
                    SERVICE.1,
                    STATELESS_SERVICE.0,
                    STATELESS_SERVICE.1,
                ],
                "veth-client mesh0",
            ),
        };
        Self {
            fault,
            server,
            targets,
            program,
        }
    }

    /// Makes what must be there before the program starts.
    pub(super) fn prepare(&self, node: &Node, client: &Pod, server: &Pod) -> Result<()> {
        let inside = node.namespace();
        match self.fault {
            Fault::HalfMade | Fault::NoteKept | Fault::HalfMadeByTuns => Ok(()),
            Fault::FlippedBits => {
                let netem = "qdisc add dev eth0 root netem corrupt 8%";
                let words: Vec<&str> = netem.split(' ').collect();
                client.namespace().run("tc", &words).map(drop)
            }
            Fault::BrokenBytes => {
                for pod in [client, server] {
                    pod.namespace()
                        .run("ethtool", &["-K", "eth0", "tx", "off"])?;
                }
                Ok(())
            }
            Fault::SuperFrames | Fault::SuperFramesBySockets => {
                // The server's device and its end on the node take frames as large as segmentation makes them.
                inside.ip("link set veth-server mtu 65535")?;
                server.namespace().ip("link set eth0 mtu 65535").map(drop)
            }
            Fault::HalfMadeBeforeFilter | Fault::HalfMadeBeforeTranslation => {
                // The program hands on to a veth of the node's, which routes to the server.
                inside.ip("link add mesh0 type veth peer name mesh1")?;
                for device in ["mesh0", "mesh1"] {
                    inside.ip(&format!("link set {device} up"))?;
                }
                // Else the node answers for its gateway address on veth-client too, and the client goes round the
                // program.
                node.namespace()
                    .sysctl("net.ipv4.conf.all.arp_ignore", "1")?;
                self.route(node, "mesh1", client, server)?;
                self.set_rules(node)
            }
        }
    }

    /// Connects the program's own devices.
    pub(super) fn connect(&self, node: &Node, client: &Pod, server: &Pod) -> Result<()> {
        let inside = node.namespace();
        match self.fault {
            Fault::SuperFrames => {
                for (bridge, ports) in [
                    ("br-client", ["veth-client", "tap0"]),
                    ("br-server", ["veth-server", "tap1"]),
                ] {
                    inside.ip(&format!("link add {bridge} type bridge"))?;
                    inside.ip(&format!("link set {bridge} up"))?;
                    for port in ports {
                        inside.ip(&format!("link set {port} master {bridge} up"))?;
                    }
                }
                Ok(())
            }
            Fault::HalfMadeByTuns => {
                for (table, pod_end, tun) in
                    [(101, "veth-client", "tun0"), (102, "veth-server", "tun1")]
                {
                    inside.ip(&format!("link set {tun} up"))?;
                    inside.sysctl(&format!("net.ipv6.conf.{tun}.disable_ipv6"), "0")?;
                    inside.sysctl(&format!("net.ipv4.conf.{tun}.rp_filter"), "0")?;
                    for family in ["-4", "-6"] {
                        inside.ip(&format!("{family} rule add iif {pod_end} lookup {table}"))?;
                        inside.ip(&format!(
                            "{family} route add default dev {tun} table {table}"
                        ))?;
                    }
                }
                self.route(node, "veth-client", client, server)
            }
            _ => Ok(()),
        }
    }

    /// The node routes between the client, which it reaches by this device, and the server.
    fn route(&self, node: &Node, to_client: &str, client: &Pod, server: &Pod) -> Result<()> {
        let inside = node.namespace();
        inside.sysctl("net.ipv4.ip_forward", "1")?;
        inside.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        inside.sysctl("net.ipv4.conf.all.rp_filter", "0")?;
        let ends = [(to_client, client), ("veth-server", server)];
        for ((device, pod), (ipv4, ipv6)) in ends.into_iter().zip(GATEWAYS) {
            inside.sysctl(&format!("net.ipv6.conf.{device}.disable_ipv6"), "0")?;
            inside.sysctl(&format!("net.ipv4.conf.{device}.rp_filter"), "0")?;
            inside.ip(&format!("address add {ipv4}/24 dev {device}"))?;
            inside.ip(&format!("address add {ipv6}/64 dev {device} nodad"))?;
            pod.namespace()
                .ip(&format!("route add default via {ipv4}"))?;
            pod.namespace()
                .ip(&format!("-6 route add default via {ipv6}"))?;
        }
        Ok(())
    }

    fn set_rules(&self, node: &Node) -> Result<()> {
        let translate = |family, service, to| {
            format!(
                "add table {family} nat; \
                add chain {family} nat prerouting {{ type nat hook prerouting priority -100; }}; \
                add rule {family} nat prerouting {family} daddr {service} dnat to {to}; "
            )
        };
        let mut rules = translate("ip", SERVICE.0, ROUTED_SERVER.0)
            + &translate("ip6", SERVICE.1, ROUTED_SERVER.1);
        if self.fault == Fault::HalfMadeBeforeFilter {
            // As kube-proxy has it.
            rules += "add table inet filter; \
                add chain inet filter forward { type filter hook forward priority 0; }; \
                add rule inet filter forward ct state invalid counter drop";
        } else {
            for (family, service, to) in [
                ("ip", STATELESS_SERVICE.0, ROUTED_SERVER.0),
                ("ip6", STATELESS_SERVICE.1, ROUTED_SERVER.1),
            ] {
                rules += &format!(
                    "add table {family} raw; \
                    add chain {family} raw prerouting {{ type filter hook prerouting priority -300; }}; \
                    add rule {family} raw prerouting {family} daddr {service} notrack {family} daddr set {to}; "
                );
            }
        }
        let inside = node.namespace();
        inside.run("nft", &[&rules])?;
        if self.fault == Fault::HalfMadeBeforeTranslation {
            inside.sysctl("net.netfilter.nf_conntrack_checksum", "0")?;
        }
        Ok(())
    }
}

/// The kernel's counters where such packets end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) tcp: u64,
    pub(super) udp: u64,
    pub(super) udp6: u64,
    pub(super) read: u64,
    pub(super) filtered: u64,
    pub(super) unrouted: u64,
}

impl Counters {
    pub(super) fn read(node: &Node, server: &Pod, fault: Fault) -> Result<Self> {
        let at_server = |protocol, counter| server.namespace().protocol_counter(protocol, counter);
        let mut counters = Self {
            tcp: at_server("Tcp", "InCsumErrors")?,
            udp: at_server("Udp", "InCsumErrors")?,
            udp6: at_server("Udp6", "InCsumErrors")?,
            read: at_server("Udp", "InDatagrams")? + at_server("Udp6", "InDatagrams")?,
            filtered: 0,
            unrouted: 0,
        };
        if fault == Fault::HalfMadeBeforeFilter {
            let inside = node.namespace();
            counters.filtered = inside.rule_counter("inet filter forward")?;
            counters.unrouted = inside.protocol_counter("IpExt", "InNoRoutes")?
                + inside.protocol_counter("Ip6", "InNoRoutes")?;
        }
        Ok(counters)
    }
}
