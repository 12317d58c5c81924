//! What runs programs for arm64 on this machine.

use super::packages::{apt_install, apt_obstacle};
use super::{Need, Step, nothing};
use crate::machine::on_path;

/// QEMU's user-mode emulator, which needs no libraries of arm64. The tests call it by this name.
const PROGRAM: &str = "qemu-aarch64-static";

pub const EMULATOR: Step = Step {
    name: "arm64 emulator",
    need: Need::Arm64,
    purpose: "try the agent that is built for arm64",
    obstacle: |machine| apt_obstacle(machine, "the program qemu-aarch64-static"),
    present: |_| on_path(PROGRAM),
    commands: |workspace| Ok(apt_install(workspace, &["qemu-user-static"])),
    finish: nothing,
};
