//! Pods: a namespace, a control group and log folders, as a kubelet and a runtime would leave them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::{HostRoot, traffic::Traffic};
use crate::netns::Namespace;
use crate::process::Process;

/// A pod in Kubernetes' namespace `shop`, with a network namespace of its own.
pub struct Pod {
    // The process that holds the namespace ends before the namespace goes.
    _pause: Process,
    container: Container,
    namespace: Namespace,
}

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

impl Pod {
    /// A pod with nothing in its namespace but the loopback device and a process that keeps it.
    pub fn new(host: &HostRoot, name: &str) -> Result<Self> {
        let namespace = Namespace::without_ipv6(name)?;
        let container = Container::on_host_network(host, name, "app")?;
        let mut pause = container.command(&namespace, Path::new("sleep"));
        pause.arg("3600");
        let pause = Process::start("pause", pause, &host.path().join(format!("{name}.pause")))?;
        Ok(Self {
            _pause: pause,
            container,
            namespace,
        })
    }

    /// Gives its `eth0` an IPv6 address (with its prefix) beside the other.
    pub fn add_ipv6(&self, address: &str) -> Result<()> {
        self.namespace
            .sysctl("net.ipv6.conf.eth0.disable_ipv6", "0")?;
        let add = format!("address add {address} dev eth0 nodad");
        self.namespace.ip(&add).map(drop)
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Traffic of this pod.
    pub fn traffic<'a>(&'a self, host: &'a HostRoot) -> Traffic<'a> {
        Traffic::of(host, &self.container, &self.namespace)
    }
}
