//! Runs `netdiag-lab`, which makes the traffic.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::{Container, HostRoot};
use crate::netns::Namespace;
use crate::process::{self, Process};
use crate::{programs, wait};

/// The facts that a traffic program printed about its work: `sent=20 connected=1`.
pub struct Facts(BTreeMap<String, u64>);

impl Facts {
    /// Reads the words; the last of a name counts.
    pub(crate) fn read(text: &str) -> Self {
        let fact = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(text.split_whitespace().filter_map(fact).collect())
    }

    /// One of the numbers.
    pub fn get(&self, name: &str) -> Result<u64> {
        self.0
            .get(name)
            .copied()
            .with_context(|| format!("the traffic program said no {name}"))
    }
}

/// Starts traffic programs in one place.
pub struct Traffic<'a> {
    host: &'a HostRoot,
    container: &'a Container,
    namespace: &'a Namespace,
}

impl<'a> Traffic<'a> {
    /// Traffic of one container in one namespace.
    pub fn of(host: &'a HostRoot, container: &'a Container, namespace: &'a Namespace) -> Self {
        Self {
            host,
            container,
            namespace,
        }
    }

    /// Runs a program to its end.
    pub fn run(&self, arguments: &str) -> Result<Facts> {
        let said = process::run(&mut self.command(arguments)?)?;
        Ok(Facts::read(&said))
    }

    /// Starts a program and waits until it is ready.
    pub fn start(&self, arguments: &str) -> Result<Process> {
        start(self.host, arguments, self.command(arguments)?)
    }

    fn command(&self, arguments: &str) -> Result<Command> {
        let mut command = self.container.command(self.namespace, &programs::lab()?);
        command.args(arguments.split_whitespace());
        Ok(command)
    }
}

/// Starts a traffic program and waits until it is ready.
pub(super) fn start(host: &HostRoot, arguments: &str, command: Command) -> Result<Process> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let log = host.path().join(format!("traffic-{number}.log"));
    let process = Process::start(arguments, command, &log)?;
    wait::until(arguments, wait::LIMIT, || {
        process.check_running()?;
        Ok(process.log_tail().contains("ready=1").then_some(()))
    })?;
    Ok(process)
}
