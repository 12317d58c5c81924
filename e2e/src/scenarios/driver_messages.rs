//! Drivers that complain about checksums they cannot finish, and lines that only look so.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;

use anyhow::{Context, Result, ensure};

use crate::lab::{KernelLog, Node, Pod};

/// LOG_USER of `<syslog.h>`.
const USER: u32 = 1;
const WARNING: u32 = 4;

/// The complaints that drivers print (`netdev_warn` and `dev_warn` put driver, bus address and device in front), and
/// their meaning.
pub const COMPLAINTS: [(&str, &str); 6] = [
    (
        "ixgbe 0000:03:00.0: partial checksum but l4 proto=2b!",
        "IPv6 routing header",
    ),
    (
        "nfp 0000:04:00.0 ens1np0: partial checksum but l4 proto=84!",
        "SCTP",
    ),
    (
        "nfp 0000:04:00.0 ens1np0: partial checksum but ipv=5!",
        "IP version 5",
    ),
    (
        "fm10k 0000:01:00.0: partial checksum, version=56710 l4 proto=3c",
        "IPv6 destination options",
    ),
    (
        "igb 0000:01:00.1: partial checksum but proto=ca88!",
        "EtherType 0x88ca",
    ),
    (
        "nfp 0000:05:00.0 (unnamed net_device) (uninitialized): partial checksum but l4 proto=0!",
        "IPv6 hop-by-hop options",
    ),
];

/// The look-alikes: lines that others print, or that quote a driver.
const LOOK_ALIKES: [&str; 9] = [
    "ixgbe 0000:03:00.0: partial checksum but l4 proto=!",
    "ixgbe 0000:03:00.0: partial checksum but l4 proto=2b! and more",
    "ixgbe 0000:03:00.0: partial checksum but l4 proto=12b!",
    "ixgbe 0000:03:00.0: Partial Checksum but l4 proto=2b!",
    "ixgbe 0000:03:00.0: partial checksum, version=x l4 proto=2b",
    "ixgbe 0000:03:00.0: partial checksum offload enabled",
    "audit: type=1300 comm=\"partial checksum but l4 proto=2b!\"",
    "ixgbe\\x1b[31m 0000:03:00.0: partial checksum but l4 proto=2b!",
    "ixgbe\u{1b}[31m 0000:03:00.0: partial checksum but l4 proto=2b!",
];

/// A line about the NIC that this driver serves.
pub fn complaint_about(driver: &str, interface: &str) -> String {
    format!("{driver} virtio9 {interface}: partial checksum but l4 proto=2b!")
}

/// Prints each complaint that often, among lines that only look so.
pub fn complain(log: &KernelLog, times: usize) -> Result<()> {
    for _ in 0..times {
        for (line, _) in COMPLAINTS {
            log.print(0, WARNING, line)?;
        }
    }
    print_look_alikes(log)
}

/// Lines that nobody must take for a driver's.
pub fn print_look_alikes(log: &KernelLog) -> Result<()> {
    for line in LOOK_ALIKES {
        log.print(0, WARNING, line)?;
    }
    // A program's, of the user's and of the daemons' facility.
    for facility in [USER, 3] {
        log.print(facility, WARNING, COMPLAINTS[0].0)?;
    }
    Ok(())
}

/// A program writes a driver's line into the kernel's own log, with every priority that it can give it; and a rule of
/// a firewall has that line for its prefix, with which the kernel then prints.
pub struct ForgedMessages {
    pod: Pod,
}

impl ForgedMessages {
    /// The rule is in pod `firewall`, which sends what it matches.
    pub fn new(node: &Node) -> Result<Self> {
        ensure!(
            env::var_os("NETDIAG_GUEST").is_some(),
            "the whole machine is set to print for every namespace, which is only for guests"
        );
        fs::write("/proc/sys/net/netfilter/nf_log_all_netns", "1")
            .context("failed to let every namespace's rules print")?;
        let pod = node.start_pod("firewall", "10.81.0.1/24", "veth-firewall")?;
        let prefix = format!("{} ", COMPLAINTS[0].0);
        let rules = format!(
            "add table ip filter; \
            add chain ip filter output {{ type filter hook output priority 0; }}; \
            add rule ip filter output udp dport 9 log prefix \"{prefix}\" level warn"
        );
        pod.namespace().run("nft", &[&rules])?;
        Ok(Self { pod })
    }

    /// Writes and sends.
    pub fn forge(&self, node: &Node, datagrams: u64) -> Result<()> {
        let mut log = OpenOptions::new()
            .write(true)
            .open("/dev/kmsg")
            .context("failed to open /dev/kmsg")?;
        // Without a priority, with the kernel's facility, and with others.
        for priority in ["", "<4>", "<12>", "<0>", "<2147483644>"] {
            let line = format!("{priority}{}", COMPLAINTS[0].0);
            log.write_all(line.as_bytes())
                .context("failed to write into the kernel's log")?;
        }
        let send = format!("udp-send 10.81.0.2 9 {datagrams}");
        self.pod.traffic(node.host()).run(&send).map(drop)
    }
}
