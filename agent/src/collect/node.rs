//! Name, kernel and architecture of the node.

use std::fs;

use netdiag_diagnosis::evidence::NodeFacts;

/// The kernel's name of this host.
pub(crate) fn host_name() -> String {
    match line("/proc/sys/kernel/hostname") {
        name if name.is_empty() => "localhost".to_owned(),
        name => name,
    }
}

/// Reads the facts of the node of this name.
pub(crate) fn node_facts(name: String) -> NodeFacts {
    NodeFacts {
        name,
        kernel: line("/proc/sys/kernel/osrelease"),
        architecture: std::env::consts::ARCH.to_owned(),
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
