//! Distribution packages.

use std::process::Command;

use super::{Need, Step, nothing};
use crate::machine::{Machine, on_path};
use crate::workspace::Workspace;

/// Programs that the scenarios call, and their Debian packages.
const TOOLS: [(&str, &str); 3] = [
    ("ip", "iproute2"),
    ("ethtool", "ethtool"),
    ("nft", "nftables"),
];

pub const NETWORK_TOOLS: Step = Step {
    name: "network tools",
    need: Need::Namespaces,
    purpose: "make faults in throwaway network namespaces",
    obstacle: |machine| apt_obstacle(machine, "the programs ip, ethtool and nft"),
    present: |_| missing_tools().is_empty(),
    commands: |workspace| Ok(apt_install(workspace, &missing_tools())),
    finish: nothing,
};

fn missing_tools() -> Vec<&'static str> {
    let missing = TOOLS.iter().filter(|(program, _)| !on_path(program));
    missing.map(|(_, package)| *package).collect()
}

/// The commands that install Debian packages, quietly and without what is merely recommended.
pub fn apt_install(workspace: &Workspace, packages: &[&str]) -> Vec<Command> {
    let apt_get = |arguments: &[&str]| {
        let mut command = workspace.command("apt-get");
        command.args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let mut install = apt_get(&["install", "--yes", "--no-install-recommends"]);
    install.args(packages);
    vec![apt_get(&["update"]), install]
}

/// Why packages cannot be installed here; `wanted` is what to install by other means.
pub fn apt_obstacle(machine: &Machine, wanted: &str) -> Option<String> {
    if !machine.debian_12 {
        return Some(format!(
            "packages are installed on Debian 12 only; install by hand: {wanted}"
        ));
    }
    if !machine.root {
        return Some(format!(
            "packages are installed by root only; needed: {wanted}"
        ));
    }
    None
}
