//! One NIC of the node on a cable that loses or repeats fragments.

use anyhow::Result;

use super::reassembly::{Family, PORT, Received, SIZE};
use crate::lab::{Cable, Container, Node};
use crate::process::Process;

/// The fault of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Every 7th fragment is lost: each time another one of a datagram's 6.
    Loss,
    /// Every 7th fragment comes twice.
    Repetition,
}

/// `lan0` of the node, and a host that sends to it over the cable.
pub struct BadCable<'a> {
    node: &'a Node,
    family: Family,
    // Programs end before what they use.
    _programs: Vec<Process>,
    _reader: Container,
    cable: Cable,
}

impl<'a> BadCable<'a> {
    /// Lays the cable and starts a reader.
    pub fn new(node: &'a Node, family: Family, trouble: Trouble) -> Result<Self> {
        let cable = Cable::new(node, "lan0")?;
        let [address, _] = family.addresses();
        family.hurry(node.namespace())?;
        family.assign(node.namespace(), "lan0", address)?;
        family.assign(cable.host.namespace(), cable.host.device, family.source())?;
        let reader = node.start_host_pod("feed", "reader")?;
        let receive = format!("udp-receive {address} {PORT} --seconds 300");
        let reading = node.traffic(&reader).start(&receive)?;
        let trouble = match trouble {
            Trouble::Loss => "--lose-every 7",
            Trouble::Repetition => "--repeat-every 7",
        };
        let passing = cable.pass_on(node, trouble)?;
        Ok(Self {
            node,
            family,
            _programs: vec![reading, passing],
            _reader: reader,
            cable,
        })
    }

    /// The host sends that many datagrams, 20 ms apart; returns when the node has given up what stayed incomplete.
    pub fn send(&self, datagrams: u64) -> Result<Received> {
        let [address, _] = self.family.addresses();
        let send = format!("udp-send {address} {PORT} {datagrams} --size {SIZE} --gap-ms 20");
        Received::of(self.node, self.family, || self.cable.host.run(&send))
    }
}
