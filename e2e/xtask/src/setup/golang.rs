//! A Go that is new enough for the control plane.
//!
//! Distributions carry older ones. Go publishes its toolchains as versions of the module
//! golang.org/toolchain, which any Go since 1.16 can download and check
//! (<https://go.dev/doc/toolchain#download>).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::packages::{apt_install, apt_obstacle};
use super::{Need, Step, control_plane};
use crate::machine::{on_path, output_of, version_in};
use crate::workspace::Workspace;

/// The version that go.mod of the control plane asks for.
const MINIMUM: (u32, u32) = (1, 25);
const RELEASE: &str = "go1.26.8";
/// This machine's architecture as Go calls it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

pub const GO: Step = Step {
    name: "Go",
    need: Need::ControlPlane,
    purpose: "build etcd, kube-apiserver, kubectl and helm; an older Go gets a newer one as a module, into netdiag's cache",
    obstacle: |machine| {
        let without = || {
            apt_obstacle(
                machine,
                "Go 1.25 or newer, or etcd, kube-apiserver, kubectl and helm on PATH",
            )
        };
        if on_path("go") { None } else { without() }
    },
    present: |workspace| control_plane::is_present(workspace) || go(workspace).is_some(),
    commands: |workspace| {
        let mut commands = Vec::new();
        if !on_path("go") {
            commands = apt_install(workspace, &["golang-go"]);
        }
        let mut download = workspace.command("go");
        download.args(["mod", "download", &toolchain()]);
        // Outside any module, so that an old Go does not read a go.mod it cannot understand.
        download.current_dir("/");
        download.env("GOMODCACHE", modules(workspace));
        download.env("GOFLAGS", "-modcacherw");
        commands.push(download);
        Ok(commands)
    },
    finish: |workspace| make_executable(&downloaded(workspace)),
};

/// The go command to build with, if there is one that is new enough.
pub fn go(workspace: &Workspace) -> Option<PathBuf> {
    let downloaded = downloaded(workspace).join("bin/go");
    [PathBuf::from("go"), downloaded].into_iter().find(|go| {
        let mut command = workspace.command(go);
        command
            .arg("version")
            .env("GOTOOLCHAIN", "local")
            .current_dir("/");
        output_of(&mut command)
            .and_then(|text| version_in(&text))
            .is_some_and(|version| version >= MINIMUM)
    })
}

fn modules(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("go")
}

fn downloaded(workspace: &Workspace) -> PathBuf {
    modules(workspace).join(toolchain())
}

/// The module with its version, which is also the folder that it is unpacked to.
fn toolchain() -> String {
    format!("golang.org/toolchain@v0.0.1-{RELEASE}.linux-{ARCHITECTURE}")
}

/// Modules carry no permissions, so programs in them come without the execute bit.
fn make_executable(toolchain: &Path) -> Result<()> {
    let tools = format!("pkg/tool/linux_{ARCHITECTURE}");
    for folder in ["bin", &tools] {
        let folder = toolchain.join(folder);
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("failed to read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            fs::set_permissions(&path, Permissions::from_mode(0o755))
                .with_context(|| format!("failed to make {} executable", path.display()))?;
        }
    }
    Ok(())
}
