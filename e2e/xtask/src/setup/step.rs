//! One thing to set up.

use std::process::Command;

use anyhow::Result;

use crate::machine::Machine;
use crate::workspace::Workspace;

/// The use for which a step is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Building the agent with its eBPF programs.
    Ebpf,
    /// Making faults in network namespaces.
    Namespaces,
    /// A private etcd and kube-apiserver.
    ControlPlane,
    /// Booting other kernels.
    Guests,
    /// Running real nodes.
    Nodes,
    /// Building images.
    Images,
    /// Compiling what is in them without a registry.
    ImageBase,
    /// Running programs for arm64.
    Arm64,
}

/// One thing to set up.
pub struct Step {
    pub name: &'static str,
    pub need: Need,
    /// The purpose, in words for people.
    pub purpose: &'static str,
    /// Why this machine cannot do it, and what to install by hand.
    pub obstacle: fn(&Machine) -> Option<String>,
    /// It is there, and new enough.
    pub present: fn(&Workspace) -> bool,
    /// The commands that set it up, to be shown and then run in this order.
    pub commands: fn(&Workspace) -> Result<Vec<Command>>,
    /// The work that is left after the commands, without a command of its own.
    pub finish: fn(&Workspace) -> Result<()>,
}

/// For steps that have nothing left to do.
pub fn nothing(_: &Workspace) -> Result<()> {
    Ok(())
}
