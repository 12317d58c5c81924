//! Containers: a control group and log folders, as a kubelet and a runtime would leave them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::HostRoot;
use crate::netns::Namespace;

/// A container: where its processes are accounted.
pub struct Container {
    name: String,
    group: PathBuf,
}

impl Container {
    /// A container of a new pod that shares the node's network.
    pub fn on_host_network(host: &HostRoot, pod: &str, container: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let uid = format!("5f3b1c7e-0d2a-4c55-9a51-{number:012x}");
        let id = format!("{number:064x}");
        let group = host.add_container(pod, &uid, container, &id)?;
        Ok(Self {
            name: container.to_owned(),
            group,
        })
    }

    /// A command that will run in this container and that network namespace.
    pub fn command(&self, namespace: &Namespace, program: &Path) -> Command {
        // `ip netns exec` hides the control groups under a /sys of its own, so they are joined before it.
        let mut command = Command::new("sh");
        let join = format!(
            "echo $$ > {}/cgroup.procs && exec \"$@\"",
            self.group.display()
        );
        command.args(["-c", &join, &self.name]);
        command
            .args(["ip", "netns", "exec", namespace.name()])
            .arg(program);
        command
    }
}
