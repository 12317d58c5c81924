//! One build of everything, and the list of what it made.
//!
//! Every suite uses the executables of this one build: cargo unifies features per invocation, so
//! building packages one by one would compile some dependencies several times.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::job::{Job, run_quietly};
use crate::workspace::Workspace;

/// On two busy cores a build from nothing takes 10 minutes.
const BUILD_LIMIT: Duration = Duration::from_secs(35 * 60);

/// A test program or a binary that the build made.
pub struct Executable {
    pub package: String,
    pub target: String,
    /// Target kind as cargo says it: `lib`, `bin`, `test`.
    pub kind: String,
    pub is_test: bool,
    /// The folder that cargo runs the package's tests in.
    pub folder: PathBuf,
    pub path: PathBuf,
}

/// The programs that a build made.
pub struct Built {
    pub executables: Vec<Executable>,
    pub took: Duration,
    /// Nothing had to be compiled.
    pub fresh: bool,
}

impl Built {
    /// The binary called `name`.
    pub fn binary(&self, name: &str) -> Option<&PathBuf> {
        let mut binaries = self.executables.iter().filter(|built| !built.is_test);
        binaries
            .find(|built| built.target == name)
            .map(|built| &built.path)
    }

    /// The binary called `name`, which this build should have made.
    pub fn required_binary(&self, name: &str) -> Result<&PathBuf> {
        self.binary(name)
            .with_context(|| format!("the build made no {name}"))
    }

    /// The variables by which the end-to-end harness finds the programs under test.
    pub fn environment(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let programs = [
            ("NETDIAG_AGENT", "netdiag-agent"),
            ("NETDIAG_CONTROLLER", "netdiag-controller"),
        ];
        let built = |(variable, name)| Some((variable, self.binary(name)?));
        programs.into_iter().filter_map(built)
    }
}

/// Builds every library, binary and test; without `ebpf`, the agent carries no probes.
pub fn everything(workspace: &Workspace, ebpf: bool) -> Result<Built> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--workspace", "--exclude", "netdiag-ebpf"]);
    cargo.args(["--exclude", "netdiag-fuzz", "--all-targets"]);
    run(workspace, cargo, ebpf, "build")
}

/// Builds what guests run, as `everything` does, and no other test.
pub fn for_guests(workspace: &Workspace) -> Result<Built> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--workspace", "--exclude", "netdiag-ebpf"]);
    cargo.args(["--exclude", "netdiag-fuzz", "--bins", "--test", "suite"]);
    run(workspace, cargo, true, "build")
}

/// Builds only the named binaries.
pub fn binaries(workspace: &Workspace, packages: &[&str]) -> Result<Built> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--bins"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    run(workspace, cargo, true, "build")
}

/// Copies a program without its debug information, which is most of it.
pub fn strip(workspace: &Workspace, program: &Path, to: &Path) -> Result<()> {
    let mut strip = workspace.command("strip");
    strip.args(["--strip-debug", "-o"]).arg(to).arg(program);
    run_quietly(&mut strip)
}

/// Sets what every cargo command that compiles the agent must agree on, or it compiles twice: whether with eBPF, and
/// that programs are linked statically, as they are shipped. With the target named, that leaves build scripts and
/// macros by themselves.
pub fn agent_setting(workspace: &Workspace, cargo: &mut Command, ebpf: bool) -> Result<()> {
    let rustc = workspace
        .command("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .context("failed to run rustc")?;
    let target = String::from_utf8(rustc.stdout).context("rustc printed no text")?;
    let target = target.trim();
    let link = format!("target.{target}.rustflags=['-C', 'target-feature=+crt-static']");
    cargo.args(["--target", target, "--config", &link]);
    if ebpf {
        cargo.env_remove("AYA_BUILD_SKIP");
    } else {
        cargo.env("AYA_BUILD_SKIP", "1");
    }
    Ok(())
}

/// Builds and lists what was made.
pub fn run(workspace: &Workspace, mut cargo: Command, ebpf: bool, name: &str) -> Result<Built> {
    agent_setting(workspace, &mut cargo, ebpf)?;
    cargo.args(["--locked", "--message-format=json-render-diagnostics"]);
    let messages = workspace.run_folder().join("build.json");
    let mut job = Job::new(workspace, name, cargo, BUILD_LIMIT);
    job.output = Some(messages.clone());
    let took = job.run_to_success()?;
    let text = fs::read_to_string(&messages)
        .with_context(|| format!("failed to read {}", messages.display()))?;
    let artifacts = artifacts(&text);
    Ok(Built {
        fresh: artifacts.iter().all(|artifact| artifact.fresh),
        executables: artifacts.into_iter().filter_map(executable).collect(),
        took,
    })
}

/// The parts used here of cargo's `compiler-artifact` message:
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
    fresh: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

fn artifacts(messages: &str) -> Vec<Artifact> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn executable(artifact: Artifact) -> Option<Executable> {
    let folder = artifact.manifest_path.parent()?.to_path_buf();
    let manifest = fs::read_to_string(&artifact.manifest_path).ok()?;
    Some(Executable {
        package: package_name(&manifest)?,
        target: artifact.target.name,
        kind: artifact.target.kind.into_iter().next()?,
        is_test: artifact.profile.test,
        folder,
        path: artifact.executable?,
    })
}

/// The first `name = ".."` of a manifest, which is its package's.
fn package_name(manifest: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let name = line.strip_prefix("name = \"")?.strip_suffix('"')?;
        Some(name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_artifacts_are_read_from_cargos_messages() {
        let messages = r#"{"reason":"build-script-executed","package_id":"a"}
{"reason":"compiler-artifact","manifest_path":"/w/agent/Cargo.toml","target":{"kind":["bin"],"name":"netdiag-agent"},"profile":{"test":true},"executable":"/t/agent-1","fresh":false}
{"reason":"build-finished","success":true}"#;
        let artifacts = artifacts(messages);
        assert_eq!(artifacts.len(), 1);
        assert!(artifacts[0].profile.test);
        assert_eq!(
            artifacts[0].executable.as_deref(),
            Some("/t/agent-1".as_ref())
        );
    }
}
