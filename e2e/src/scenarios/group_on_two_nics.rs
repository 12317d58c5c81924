//! A group that a program of the node receives on one of two NICs of one network, with a strict reverse path filter: the
//! other NIC's copies have no way back by it.

use anyhow::Result;

use crate::lab::{Container, Node, Switch, Wire};
use crate::process::Process;

const GROUP: &str = "239.77.0.16";
const PORT: u16 = 7068;
const DATAGRAMS: u64 = 80;
const NICS: [(&str, &str); 2] = [("lan0", "10.89.0.42"), ("lan1", "10.89.0.43")];

/// The node's NICs `lan0` and `lan1`, and a host that sends to the group.
pub struct GroupOnTwoNics<'a> {
    node: &'a Node,
    host: Wire,
    _program: Process,
    _reader: Container,
    _switch: Switch,
}

impl<'a> GroupOnTwoNics<'a> {
    /// Plugs the NICs into one switch and joins the group on both.
    pub fn new(node: &'a Node) -> Result<Self> {
        let switch = Switch::new(node.name())?;
        let inside = node.namespace();
        let mut receive = format!("multicast-receive {GROUP} {PORT} --seconds 300");
        inside.sysctl("net.ipv4.conf.all.rp_filter", "0")?;
        for (nic, address) in NICS {
            switch.plug_veth(node, nic)?;
            inside.ip(&format!("address add {address}/24 dev {nic}"))?;
            inside.sysctl(&format!("net.ipv4.conf.{nic}.rp_filter"), "1")?;
            receive.push_str(&format!(" --on {address}"));
        }
        let host = switch.connect_host(&format!("{}-host", node.name()))?;
        let beyond = host.namespace();
        beyond.ip("address add 10.89.0.73/24 dev wire0")?;
        beyond.ip("route add 239.0.0.0/8 dev wire0")?;
        let reader = node.start_host_pod("feed", "reader")?;
        let program = node.traffic(&reader).start(&receive)?;
        Ok(Self {
            node,
            host,
            _program: program,
            _reader: reader,
            _switch: switch,
        })
    }

    /// The host sends to the group; returns the datagrams that it sent, that the program read (increase of
    /// Udp.InDatagrams), and that the filter refused.
    pub fn send(&self) -> Result<[u64; 3]> {
        let inside = self.node.namespace();
        let read = || -> Result<[u64; 2]> {
            Ok([
                inside.protocol_counter("Udp", "InDatagrams")?,
                inside.protocol_counter("TcpExt", "IPReversePathFilter")?,
            ])
        };
        let before = read()?;
        let send = format!("udp-send {GROUP} {PORT} {DATAGRAMS}");
        self.host.run(&send)?;
        let after = read()?;
        Ok([DATAGRAMS, after[0] - before[0], after[1] - before[1]])
    }
}
