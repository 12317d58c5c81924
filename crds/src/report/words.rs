//! Words of a report's status that programs compare. The schema does not know them: a newer agent may have more.

/// States of a result.
pub mod state {
    /// Its first window runs.
    pub const RUNNING: &str = "Running";
    /// A window has ended with a result.
    pub const FINISHED: &str = "Finished";
    /// No window could be watched to its end.
    pub const FAILED: &str = "Failed";
}

/// The answers of a window.
pub mod answer {
    /// Something asks for an act.
    pub const AFFECTED: &str = "Affected";
    /// The agent could not look.
    pub const WITHHELD: &str = "Withheld";
    /// Wanted packets were lost or late, too few to act on.
    pub const SLIGHT: &str = "Slight";
    /// Packets went to destinations that are nobody's whom this node serves.
    pub const UNSERVED: &str = "Unserved";
    /// Wanted and unwanted packets cannot be told apart.
    pub const OPEN: &str = "Open";
    /// Nothing is lost, with more work than needed.
    pub const COSTLY: &str = "Costly";
    /// Nobody misses anything.
    pub const CLEAR: &str = "Clear";
}

/// The kinds of a node's facts. Behind those of a device stand a space and the devices: `driver eth0,eth1`.
pub mod fact {
    /// `uname -r`.
    pub const KERNEL: &str = "kernel";
    /// The distribution with its version.
    pub const OS_IMAGE: &str = "OS image";
    /// A switch that announces itself to the node.
    pub const SWITCH: &str = "switch";
    /// The mode of a bond, as iproute2 prints it.
    pub const BOND_MODE: &str = "bond mode";
    /// The driver of a NIC.
    pub const DRIVER: &str = "driver";
    /// The driver and the firmware's version of a NIC.
    pub const FIRMWARE: &str = "firmware";
    /// The MTU of a NIC, in bytes.
    pub const MTU: &str = "MTU";
}

/// Kinds of a remedy.
pub mod remedy_kind {
    /// Changes nothing.
    pub const LOOK: &str = "Look";
    /// Changes something.
    pub const CHANGE: &str = "Change";
}

/// Places of a remedy that are no host's name.
pub mod place {
    /// Any host from which kubectl reaches the cluster.
    pub const CLUSTER: &str = "any host with kubectl";
}

/// The time at which a remedy acts.
pub mod acts {
    /// At once.
    pub const NOW: &str = "Now";
    /// For sockets that are opened from then on.
    pub const NEXT_SOCKET: &str = "NextSocket";
    /// After the next listen() of the program.
    pub const NEXT_LISTEN: &str = "NextListen";
    /// On another host.
    pub const ELSEWHERE: &str = "Elsewhere";
}

/// The meaning of a booking of the ledger for those whose packets they were.
pub mod verdict {
    /// Nobody misses them.
    pub const BENIGN: &str = "Benign";
    /// They are loss.
    pub const HARMFUL: &str = "Harmful";
    /// Not known.
    pub const UNKNOWN: &str = "Unknown";
}
