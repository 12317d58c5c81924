//! The counters of dropped packets, as the kernel shows them to anybody: `ip -s link` and /proc/net/snmp.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::netns::Namespace;

/// Counters of checksum errors: the group in the file, the counter, and what people call it.
const CHECKSUMS: [(&str, &str, &str); 3] = [
    ("Tcp", "InCsumErrors", "Tcp.InCsumErrors"),
    ("Udp", "InCsumErrors", "Udp.InCsumErrors"),
    ("Udp6", "InCsumErrors", "Udp6.InCsumErrors"),
];

/// One counter of the machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DropCounter {
    /// Name of the namespace for `ip netns`.
    pub namespace: String,
    /// Number of the namespace.
    pub inode: u64,
    /// The device, empty for a counter of the namespace.
    pub device: String,
    /// `rx_dropped`, `Tcp.InCsumErrors`, ..
    pub counter: &'static str,
}

impl DropCounter {
    /// All of them in every namespace that this harness has made and that is there.
    pub fn read_all() -> BTreeMap<Self, u64> {
        let mut counters = BTreeMap::new();
        for namespace in Namespace::all() {
            // One that goes meanwhile has no counters that anybody could compare.
            if let Ok(found) = of_namespace(&namespace) {
                counters.extend(found);
            }
        }
        counters
    }
}

fn of_namespace(namespace: &Namespace) -> Result<Vec<(DropCounter, u64)>> {
    let inode = namespace.inode()?;
    let named = |device: &str, counter| DropCounter {
        namespace: namespace.name().to_owned(),
        inode,
        device: device.to_owned(),
        counter,
    };
    let mut counters = Vec::new();
    let links = namespace.ip("-json -stats -stats link show")?;
    let links: Vec<Value> = serde_json::from_str(&links).context("ip said no JSON")?;
    for link in &links {
        let device = link["ifname"].as_str().context("a link has no name")?;
        let stats = &link["stats64"];
        for (counter, value) in [
            ("rx_dropped", &stats["rx"]["dropped"]),
            ("tx_dropped", &stats["tx"]["dropped"]),
            // Left out while it is 0.
            ("rx_nohandler", &stats["rx"]["nohandler"]),
        ] {
            counters.push((named(device, counter), value.as_u64().unwrap_or(0)));
        }
    }
    for (protocol, counter, name) in CHECKSUMS {
        let value = namespace.protocol_counter(protocol, counter)?;
        counters.push((named("", name), value));
    }
    Ok(counters)
}
