//! A node: its own network, mounts, host name and process table, with containerd, a kubelet and kube-proxy in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::groups::Groups;
use super::network::node_address;
use super::settings::Settings;
use crate::control_plane::ControlPlane;
use crate::netns::Namespace;
use crate::process::{Process, run};
use crate::{programs, wait};

/// The paths, of those that its daemons write, which a node keeps for itself: from its folder to where they expect it.
const OWN_FOLDERS: [(&str, &str); 7] = [
    ("containerd", "/var/lib/containerd"),
    ("run-containerd", "/run/containerd"),
    ("kubelet", "/var/lib/kubelet"),
    ("cni-state", "/var/lib/cni"),
    ("cni", "/etc/cni"),
    ("pod-logs", "/var/log/pods"),
    ("container-logs", "/var/log/containers"),
];

/// A running node.
pub struct RealNode {
    // In the order of their end: daemons, then whatever containers left behind, then the namespaces' holder.
    daemons: Vec<Process>,
    groups: Groups,
    holder: Process,
    name: String,
    network: String,
    /// The first process in the node's process table, as the machine counts it.
    first: u32,
}

impl RealNode {
    /// Starts the node of this number, with these images.
    pub fn start(
        plane: &ControlPlane,
        namespace: &Namespace,
        number: u8,
        images: &[PathBuf],
    ) -> Result<Self> {
        let name = format!("node-{number}");
        let folder = plane.folder().join(&name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let groups = Groups::new(&name)?;
        let cni = programs::node("cni")?;
        let settings = Settings::write(plane, &folder, number, &cni, groups.name())?;
        let holder = start_holder(&folder, namespace, &name)?;
        let first = only_child(holder.id())?;
        let mut node = Self {
            daemons: Vec::new(),
            groups,
            holder,
            name,
            network: namespace.name().to_owned(),
            first,
        };
        node.start_containerd(&folder, &settings, images)?;
        node.start_kubelet(&folder, &settings, number)?;
        let mut proxy = node.command(programs::node("kube-proxy")?);
        proxy.arg("--config").arg(&settings.proxy);
        node.daemon(&folder, "kube-proxy", proxy)?;
        Ok(node)
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its network namespace for `ip netns`.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Its control group in each hierarchy.
    pub fn group(&self) -> &str {
        self.groups.name()
    }

    /// A command in all of the node's namespaces.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.first.to_string(), "-m", "-u", "-n", "-p", "--"]);
        command.arg(program);
        command
    }

    /// Runs a program in the node to its end; its standard output.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        run(self.command(program).args(arguments))
    }

    /// Fails if a daemon has ended.
    pub fn check_running(&self) -> Result<()> {
        self.holder.check_running()?;
        self.daemons.iter().try_for_each(Process::check_running)
    }

    fn start_containerd(
        &mut self,
        folder: &Path,
        settings: &Settings,
        images: &[PathBuf],
    ) -> Result<()> {
        let mut containerd = self.command("containerd");
        containerd.arg("--config").arg(&settings.containerd);
        self.daemon(folder, "containerd", containerd)?;
        wait::until("containerd", wait::LIMIT, || {
            self.run("ctr", &["version"]).map(Some)
        })?;
        for image in images {
            let image = image.display().to_string();
            self.run(
                "ctr",
                &["--namespace", "k8s.io", "images", "import", &image],
            )?;
        }
        Ok(())
    }

    fn start_kubelet(&mut self, folder: &Path, settings: &Settings, number: u8) -> Result<()> {
        let mut kubelet = self.command(programs::node("kubelet")?);
        kubelet.arg("--config").arg(&settings.kubelet);
        kubelet
            .arg("--kubeconfig")
            .arg(&settings.kubelet_kubeconfig);
        kubelet.args(["--hostname-override", &self.name]);
        kubelet.args(["--node-ip", &node_address(number).to_string()]);
        kubelet.args(["--root-dir", "/var/lib/kubelet"]);
        self.daemon(folder, "kubelet", kubelet)
    }

    fn daemon(&mut self, folder: &Path, name: &str, command: Command) -> Result<()> {
        let label = format!("{name} of {}", self.name);
        let log = folder.join(format!("{name}.log"));
        // The last one started ends first.
        self.daemons
            .insert(0, Process::start(&label, command, &log)?);
        Ok(())
    }
}

/// Starts the process that keeps the node's namespaces; all of the node's processes end with it.
fn start_holder(folder: &Path, namespace: &Namespace, name: &str) -> Result<Process> {
    let mounts: String = OWN_FOLDERS
        .iter()
        .map(|(own, usual)| {
            let own = folder.join(own).display().to_string();
            format!("mkdir -p {own} {usual} && mount --bind {own} {usual} && ")
        })
        .collect();
    let ready = folder.join("ready");
    let script = format!(
        "hostname {name} && mount --make-rshared / && {mounts}\
         mount -t tmpfs tmpfs /run/netns && mount -t bpf bpf /sys/fs/bpf && \
         touch {} && exec sleep infinity",
        ready.display()
    );
    let mut holder = Command::new("nsenter");
    holder.arg(format!("--net={}", namespace.path().display()));
    holder.args(["unshare", "--mount", "--uts", "--propagation", "slave"]);
    holder.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    holder.args(["sh", "-c", &script]);
    let label = format!("holder of {name}");
    let process = Process::start(&label, holder, &folder.join("holder.log"))?;
    wait::until(&label, wait::LIMIT, || {
        if let Err(ended) = process.check_running() {
            return Ok(Some(Err(ended)));
        }
        Ok(ready.exists().then_some(Ok(())))
    })??;
    Ok(process)
}

fn only_child(parent: u32) -> Result<u32> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
    let child = children.split_whitespace().next();
    child
        .context("the holder has no child")?
        .parse()
        .context("a process id is a number")
}
