//! Lines of the kernel log: those of a known shape are made again from their parts, all others stay on the node.
//!
//! A line may hold anything about a node: mounts, programs, addresses, firewall rules of its owner.

use super::Anonymiser;
use crate::detectors::driver_checksum::Complaint;

/// IFNAMSIZ without its zero.
const LONGEST_DEVICE: usize = 15;
/// Whole lines without a name.
const FIXED: [&str; 3] = [
    "nf_conntrack: nf_conntrack: table full, dropping packet",
    "neighbour: arp_cache: neighbor table overflow!",
    "neighbour: ndisc_cache: neighbor table overflow!",
];
/// Words of the kernel about a device, behind its name (`__dev_set_promiscuity`, `netdev_rx_csum_fault`).
const OF_A_DEVICE: [&str; 5] = [
    "entered promiscuous mode",
    "left promiscuous mode",
    "entered allmulticast mode",
    "left allmulticast mode",
    "hw csum failure",
];
/// Drivers whose complaints about checksums are known. Another's name stays only where a link of the node has it.
const DRIVERS: [&str; 10] = [
    "fm10k", "i40e", "iavf", "ice", "igb", "igbvf", "igc", "ixgbe", "ixgbevf", "nfp",
];
/// Words that stand for the name of a device that has none yet.
const NAMELESS: [&str; 3] = ["(unnamed", "net_device)", "(uninitialized)"];
/// In place of any bus address.
const BUS_ADDRESS: &str = "0000:00:00.0";

/// The same line about other devices; `None` where its shape is unknown.
pub(super) fn rebuilt(text: &str, anonymiser: &mut Anonymiser) -> Option<String> {
    if let Some(fixed) = FIXED.iter().find(|fixed| text.contains(*fixed)) {
        return Some((*fixed).to_owned());
    }
    of_a_device(text, anonymiser).or_else(|| complaint(text, anonymiser))
}

/// `eth0: left promiscuous mode`, until 6.4 `device eth0 left promiscuous mode`.
fn of_a_device(text: &str, anonymiser: &mut Anonymiser) -> Option<String> {
    OF_A_DEVICE.iter().find_map(|event| {
        let before = text.strip_suffix(event)?.strip_suffix(' ')?;
        let (prefix, device, colon) = match before.strip_prefix("device ") {
            Some(device) => ("device ", device, ""),
            None => ("", before.strip_suffix(':')?, ":"),
        };
        let new = device_name(device, anonymiser)?;
        Some(format!("{prefix}{new}{colon} {event}"))
    })
}

fn device_name(name: &str, anonymiser: &mut Anonymiser) -> Option<String> {
    let is_name = !name.is_empty()
        && name.len() <= LONGEST_DEVICE
        && !name.contains(|c: char| c.is_whitespace() || c == '/');
    is_name.then(|| anonymiser.names.of_interface(name, None))
}

/// A driver that could not finish a checksum. [`Complaint`] has read the whole message, which holds numbers only.
fn complaint(text: &str, anonymiser: &mut Anonymiser) -> Option<String> {
    let complaint = Complaint::parse(text)?;
    let (_, message) = text.split_once("partial checksum")?;
    let mut new = Vec::new();
    for (at, word) in complaint.source.split_whitespace().enumerate() {
        let name = word.trim_end_matches(':');
        let colon = if name.len() < word.len() { ":" } else { "" };
        let replaced = if at == 0 {
            let is_known = DRIVERS.contains(&name) || anonymiser.drivers.contains(name);
            if is_known { name } else { "driver" }.to_owned()
        } else if NAMELESS.contains(&name) {
            name.to_owned()
        } else if name.contains(':') {
            BUS_ADDRESS.to_owned()
        } else {
            device_name(name, anonymiser)?
        };
        new.push(replaced + colon);
    }
    let source = match new.is_empty() {
        true => String::new(),
        false => format!("{}: ", new.join(" ")),
    };
    Some(format!("{source}partial checksum{message}"))
}
