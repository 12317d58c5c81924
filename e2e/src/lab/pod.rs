//! Pods: a namespace with the container of its programs.

use std::path::Path;

use anyhow::Result;

use super::{Container, HostRoot, Traffic};
use crate::netns::Namespace;
use crate::process::Process;

/// A pod in Kubernetes' namespace `shop`, with a network namespace of its own.
pub struct Pod {
    // The process that holds the namespace ends before the namespace goes.
    _pause: Process,
    container: Container,
    namespace: Namespace,
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
