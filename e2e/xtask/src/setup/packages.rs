//! Distribution packages.

use std::process::Command;

use super::step::{Need, Step, nothing};
use crate::machine::{Machine, on_path};
use crate::workspace::Workspace;

/// Programs, and the Debian packages that bring them.
struct Tools {
    name: &'static str,
    need: Need,
    purpose: &'static str,
    programs: &'static [(&'static str, &'static str)],
    /// The replacement to have elsewhere.
    by_hand: &'static str,
}

const TOOLS: [Tools; 5] = [
    Tools {
        name: "network tools",
        need: Need::Namespaces,
        purpose: "make faults in throwaway network namespaces",
        programs: &[
            ("ip", "iproute2"),
            ("ethtool", "ethtool"),
            ("nft", "nftables"),
            ("iptables-legacy", "iptables"),
        ],
        by_hand: "the programs ip, ethtool, nft and iptables",
    },
    Tools {
        name: "guest tools",
        need: Need::Guests,
        purpose: "boot other kernels in QEMU",
        programs: &[
            ("qemu-system-x86_64", "qemu-system-x86"),
            ("debootstrap", "debootstrap"),
            ("busybox", "busybox-static"),
            ("modprobe", "kmod"),
            ("cpio", "cpio"),
            ("xz", "xz-utils"),
            ("mke2fs", "e2fsprogs"),
        ],
        by_hand: "Debian 12, from which the guests' programs are built and their system is made",
    },
    Tools {
        name: "container runtime",
        need: Need::Nodes,
        purpose: "run containers on real nodes",
        programs: &[("containerd", "containerd"), ("runc", "runc")],
        by_hand: "the programs containerd and runc",
    },
    Tools {
        name: "image tools",
        need: Need::Images,
        purpose: "build container images",
        programs: &[("buildah", "buildah"), ("debootstrap", "debootstrap")],
        by_hand: "Debian 12, from which the base of the images is made",
    },
    // User-mode emulation needs no libraries of arm64. The tests call the program by this name.
    Tools {
        name: "arm64 emulator",
        need: Need::Arm64,
        purpose: "try the agent that is built for arm64",
        programs: &[("qemu-aarch64-static", "qemu-user-static")],
        by_hand: "the program qemu-aarch64-static",
    },
];

pub const NETWORK_TOOLS: Step = step::<0>();
pub const GUEST_TOOLS: Step = step::<1>();
pub const CONTAINER_RUNTIME: Step = step::<2>();
pub const IMAGE_TOOLS: Step = step::<3>();
pub const ARM64_EMULATOR: Step = step::<4>();

/// The step of a row of [`TOOLS`]. Steps hold plain functions, so the row is a parameter that these can name.
const fn step<const ROW: usize>() -> Step {
    Step {
        name: TOOLS[ROW].name,
        need: TOOLS[ROW].need,
        purpose: TOOLS[ROW].purpose,
        obstacle: |machine| apt_obstacle(machine, TOOLS[ROW].by_hand),
        present: |_| TOOLS[ROW].missing().is_empty(),
        commands: |workspace| Ok(apt_install(workspace, &TOOLS[ROW].missing())),
        finish: nothing,
    }
}

impl Tools {
    fn missing(&self) -> Vec<&'static str> {
        let missing = self
            .programs
            .iter()
            .filter(|(program, _)| !on_path(program));
        missing.map(|(_, package)| *package).collect()
    }
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
