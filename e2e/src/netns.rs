//! Throwaway network namespaces.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::cleanup::{Undo, left_behind, made_here, unique_name};
use crate::process::run;

/// The folder in which `ip netns` keeps named namespaces.
pub(crate) const NAMED: &str = "/run/netns";

/// A named network namespace that goes with this value, with all devices and processes in it.
pub struct Namespace {
    name: String,
    _undo: Option<Undo>,
}

impl Namespace {
    /// Makes an empty namespace, loopback up, whose name ends with `label`.
    pub fn new(label: &str) -> Result<Self> {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(|| {
            for name in left_behind(Path::new(NAMED)) {
                remove(&name);
            }
        });
        let name = unique_name(label);
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let doomed = name.clone();
        let undo = Undo::register(move || remove(&doomed));
        let namespace = Self {
            name,
            _undo: Some(undo),
        };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Makes one without IPv6: neighbour discovery would add drops of its own to what a scenario counts.
    pub fn without_ipv6(label: &str) -> Result<Self> {
        let namespace = Self::new(label)?;
        for place in ["all", "default"] {
            namespace.sysctl(&format!("net.ipv6.conf.{place}.disable_ipv6"), "1")?;
        }
        Ok(namespace)
    }

    /// Those that this process has made and that are there. They go with the values that made them, not with these.
    pub fn all() -> Vec<Self> {
        let names = made_here(Path::new(NAMED)).into_iter();
        names.map(|name| Self { name, _undo: None }).collect()
    }

    /// Its name for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        Path::new(NAMED).join(&self.name)
    }

    /// Its number, as the kernel and `ls -i` show it.
    pub fn inode(&self) -> Result<u64> {
        use std::os::unix::fs::MetadataExt;
        let path = self.path();
        let metadata =
            fs::metadata(&path).with_context(|| format!("failed to read {}", path.display()))?;
        Ok(metadata.ino())
    }

    /// `ip` with these space-separated arguments, inside.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]);
        run(command.args(arguments.split_whitespace()))
    }

    /// Makes a bridge with these options, up, and these devices its ports.
    pub fn add_bridge(&self, name: &str, options: &str, ports: &[&str]) -> Result<()> {
        self.ip(&format!("link add {name} type bridge {options}"))?;
        self.ip(&format!("link set {name} up"))?;
        for port in ports {
            self.ip(&format!("link set {port} master {name}"))?;
        }
        Ok(())
    }

    /// A command that will run inside, with /sys showing the namespace's devices.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a program inside to its end; its standard output.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        run(self.command(program).args(arguments))
    }

    /// Sets a sysctl (dotted name) inside.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let value = value.to_owned();
        self.enter(move || {
            fs::write(&file, value).with_context(|| format!("failed to write {file}"))
        })?
    }

    /// Runs `action` on a thread inside. Sockets that it opens stay inside; /sys is not switched.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        let path = self.path();
        let namespace =
            File::open(&path).with_context(|| format!("failed to open {}", path.display()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                set_namespace(&namespace)?;
                io::Result::Ok(action())
            });
            match inside.join() {
                Ok(result) => result.with_context(|| format!("failed to enter {}", path.display())),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// A device's counter as in /sys/class/net/DEVICE/statistics.
    pub fn counter(&self, device: &str, counter: &str) -> Result<u64> {
        Ok(self.counters(&[(device, counter)])?[0])
    }

    /// Several devices' counters, read one right after the other.
    pub fn counters(&self, wanted: &[(&str, &str)]) -> Result<Vec<u64>> {
        let file = |(device, counter): &(&str, &str)| {
            format!("/sys/class/net/{device}/statistics/{counter}")
        };
        let files: Vec<String> = wanted.iter().map(file).collect();
        let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
        let text = self.run("cat", &arguments)?;
        let values: Result<Vec<u64>, _> = text.lines().map(str::parse).collect();
        let values = values.with_context(|| format!("{files:?} hold {text:?}"))?;
        ensure!(values.len() == files.len(), "{files:?} hold {text:?}");
        Ok(values)
    }

    /// A counter of /proc/net/snmp, netstat or snmp6, such as `Tcp` or `Udp6` `InCsumErrors`.
    pub fn protocol_counter(&self, protocol: &str, counter: &str) -> Result<u64> {
        let text = self.enter(|| -> Result<String> {
            // /proc/net would be the main thread's namespace.
            let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}"));
            Ok(read("snmp")? + &read("netstat")? + &read("snmp6")?)
        })??;
        value_in(&text, protocol, counter)
            .or_else(|| single_value_in(&text, protocol, counter))
            .with_context(|| format!("the kernel has no counter {protocol}.{counter}"))
    }

    /// Packets that the first rule with a counter has counted in a chain of nft's, such as `inet filter forward`.
    pub fn rule_counter(&self, chain: &str) -> Result<u64> {
        let mut arguments = vec!["list", "chain"];
        arguments.extend(chain.split(' '));
        let rules = self.run("nft", &arguments)?;
        let count = rules
            .split("counter packets ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .context("no rule has a counter")?;
        count.parse().context("the counter is no number")
    }
}

/// Reads pairs of lines as in /proc/net/snmp: `Tcp: Name Name` above `Tcp: 1 2`.
fn value_in(text: &str, protocol: &str, counter: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(':'));
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let pairs = names.split_whitespace().zip(values.split_whitespace());
        let values: HashMap<_, _> = pairs.collect();
        if let Some(value) = values.get(counter) {
            return value.parse().ok();
        }
    }
    None
}

/// Reads a line as in /proc/net/snmp6: `Udp6InCsumErrors   3`.
fn single_value_in(text: &str, protocol: &str, counter: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        let name = name.strip_prefix(protocol)?;
        (name == counter).then(|| value.trim().parse().ok())?
    })
}

fn set_namespace(namespace: &File) -> io::Result<()> {
    #[expect(
        unsafe_code,
        reason = "std cannot change the network namespace of a thread"
    )]
    // SAFETY: the descriptor is open for the whole call, and setns changes only this thread.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends what runs inside and deletes the name; with both, the namespace goes.
pub(crate) fn remove(name: &str) {
    if let Ok(pids) = run(Command::new("ip").args(["netns", "pids", name])) {
        for pid in pids.split_whitespace() {
            // It may have ended by itself meanwhile.
            let _ = run(Command::new("kill").args(["-KILL", pid]));
        }
    }
    if let Err(error) = run(Command::new("ip").args(["netns", "delete", name])) {
        eprintln!("{error:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_counter_among_several_groups_of_one_protocol() {
        let text = "Tcp: RtoMin InCsumErrors\nTcp: 200 7\nIpExt: InBcastPkts\nIpExt: 3\nUdp6InErrors   \t4\n";
        assert_eq!(single_value_in(text, "Udp6", "InErrors"), Some(4));
        assert_eq!(value_in(text, "Tcp", "InCsumErrors"), Some(7));
        assert_eq!(value_in(text, "IpExt", "InBcastPkts"), Some(3));
        assert_eq!(value_in(text, "Tcp", "InBcastPkts"), None);
    }
}
