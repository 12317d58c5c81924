//! NICs that filter by address become promiscuous as ports of a bridge, and let LLDP in that nobody receives.

use anyhow::Result;

use crate::lab::{Node, Wire};

/// Two such NICs, `eth0` and `eth1`, in `br0`; and `eth2`, a veth beside the bridge, which never filters.
pub struct BridgedNics<'a> {
    node: &'a Node,
    bridged: [(Wire, &'static str); 2],
    plain: (Wire, &'static str),
}

/// The kernel's counts while the switches announced themselves.
pub struct Announcements {
    /// Frames sent on each wire.
    pub sent: u64,
    /// Increase of rx_dropped: device, frames.
    pub dropped: Vec<(&'static str, u64)>,
}

impl<'a> BridgedNics<'a> {
    /// Plugs the NICs in and builds the bridge.
    pub fn new(node: &'a Node) -> Result<Self> {
        let bridged = [
            (node.plug_filtering_nic("eth0")?, "eth0"),
            (node.plug_filtering_nic("eth1")?, "eth1"),
        ];
        let plain = (node.plug_veth("eth2")?, "eth2");
        Ok(Self {
            node,
            bridged,
            plain,
        })
    }

    /// Makes both NICs ports of `br0`.
    pub fn build_bridge(&self) -> Result<()> {
        let ports = self.bridged.each_ref().map(|(_, device)| *device);
        self.node.namespace().add_bridge("br0", "", &ports)
    }

    /// A switch on each wire announces itself that many times.
    pub fn announce(&self, frames: u64) -> Result<Announcements> {
        let before = self.dropped()?;
        for (number, (wire, _)) in self.wires().enumerate() {
            wire.send_frames(&format!("lldp {frames} --system leaf-{number}"))?;
        }
        let dropped = self.dropped()?.into_iter().zip(before);
        let dropped = dropped.map(|((device, after), (_, before))| (device, after - before));
        Ok(Announcements {
            sent: frames,
            dropped: dropped.collect(),
        })
    }

    fn wires(&self) -> impl Iterator<Item = &(Wire, &'static str)> {
        self.bridged.iter().chain([&self.plain])
    }

    fn dropped(&self) -> Result<Vec<(&'static str, u64)>> {
        let read = |(_, device): &(Wire, &'static str)| {
            Ok((
                *device,
                self.node.namespace().counter(device, "rx_dropped")?,
            ))
        };
        self.wires().map(read).collect()
    }
}
