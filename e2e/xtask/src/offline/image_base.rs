//! The material of images without a registry: a Debian tree as the base, the crates, and this machine's bpf-linker.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::setup::packages::apt_obstacle;
use crate::setup::{Need, Step, cache};
use crate::workspace::Workspace;

const BY_HAND: &str = "Debian 12, from which the base of the images is made";
/// The arguments of the Dockerfile that name what its base must have, or gets installed: to build for this machine, and
/// for arm64.
const PACKAGES_ARGUMENTS: [&str; 2] = ["COMPILER_PACKAGES", "ARM64_PACKAGES"];
/// The standard library of arm64 in a base that has it.
const ARM64_LIBRARY: &str = "usr/lib/rustlib/aarch64-unknown-linux-gnu";

pub const BASE: Step = Step {
    name: "image base",
    need: Need::ImageBase,
    purpose: "a Debian 12 with compilers, on which images are built without a registry; kept in the cache",
    obstacle: |machine| apt_obstacle(machine, BY_HAND),
    present: |workspace| folder(workspace).is_ok_and(|folder| is_base(&folder)),
    commands: |workspace| {
        let mut make = workspace.command("sh");
        make.arg(workspace.root.join(SCRIPT));
        make.arg(cache::unfinished(&folder(workspace)?));
        make.args(packages(workspace)?);
        Ok(vec![make])
    },
    finish: |workspace| cache::finish(&folder(workspace)?, is_base),
};

pub const CRATES: Step = Step {
    name: "crates of images",
    need: Need::ImageBase,
    purpose: "sources of all crates, so that images are built without a network",
    obstacle: |_| None,
    present: |workspace| crates(workspace).is_ok_and(|folder| folder.is_dir()),
    commands: |workspace| {
        let mut vendor = workspace.cargo();
        vendor.args(["vendor", "--locked", "--versioned-dirs"]);
        vendor.arg(cache::unfinished(&crates(workspace)?));
        Ok(vec![vendor])
    },
    finish: |workspace| cache::finish(&crates(workspace)?, Path::is_dir),
};

const SCRIPT: &str = "e2e/image/base.sh";

/// A Debian tree to build images on, and a name for it that changes with what it is made from.
#[derive(Clone)]
pub struct Base {
    pub tree: PathBuf,
    pub name: String,
}

/// The material of images where nothing comes from a network.
pub struct Offline {
    pub base: Base,
    /// The sources of all crates in Cargo.lock, a folder each.
    pub crates: PathBuf,
    /// Holds `bin/bpf-linker`.
    pub linker: PathBuf,
}

impl Offline {
    /// Finds the material that the set-up made.
    pub fn of_this_machine(workspace: &Workspace) -> Result<Self> {
        Ok(Self {
            base: base(workspace)?,
            crates: crates(workspace)?,
            linker: linker()?,
        })
    }

    /// The arguments of a build.
    pub fn arguments(&self) -> Vec<String> {
        vec![
            format!("--build-arg=BUILD_BASE={}", self.base.name),
            format!("--build-context=crates={}", self.crates.display()),
            format!("--build-context=linker={}", self.linker.display()),
        ]
    }
}

/// The base that the set-up made.
fn base(workspace: &Workspace) -> Result<Base> {
    let folder = folder(workspace)?;
    let name = folder.file_name().context("a cache folder has a name")?;
    Ok(Base {
        tree: folder.join("tree"),
        name: format!("localhost/{}:1", name.display()),
    })
}

fn crates(workspace: &Workspace) -> Result<PathBuf> {
    let inputs = [text(workspace, "Cargo.lock")?];
    Ok(cache::folder(workspace, "crates", &inputs))
}

/// The folder of bpf-linker, as PATH has it.
fn linker() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_linker = |bin: &PathBuf| bin.ends_with("bin") && bin.join("bpf-linker").is_file();
    let bin = std::env::split_paths(&path).find(has_linker);
    let folder = bin.as_deref().and_then(Path::parent);
    folder
        .map(Path::to_path_buf)
        .context("bpf-linker is in no folder bin of PATH")
}

fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let [here, arm64] = packages(workspace)?;
    let inputs = [text(workspace, SCRIPT)?, here, arm64];
    Ok(cache::folder(workspace, "image-base", &inputs))
}

/// Why images for arm64 cannot be built on the base that the set-up made, if so.
pub fn no_arm64(workspace: &Workspace) -> Option<String> {
    let has = base(workspace).is_ok_and(|base| base.tree.join(ARM64_LIBRARY).is_dir());
    (!has).then(|| "this machine's package mirror has no standard library of arm64".to_owned())
}

/// The values of [`PACKAGES_ARGUMENTS`], in that order.
fn packages(workspace: &Workspace) -> Result<[String; 2]> {
    let dockerfile = text(workspace, "Dockerfile")?;
    let [here, arm64] = PACKAGES_ARGUMENTS.map(|argument| {
        let begin = format!("ARG {argument}=");
        let mut lines = dockerfile.lines();
        let list = lines.find_map(|line| line.strip_prefix(&begin));
        let list = list.with_context(|| format!("the Dockerfile has no line {begin}"))?;
        anyhow::Ok(list.trim_matches('"').to_owned())
    });
    Ok([here?, arm64?])
}

fn text(workspace: &Workspace, file: &str) -> Result<String> {
    let path = workspace.root.join(file);
    fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
}

fn is_base(folder: &Path) -> bool {
    folder.join("tree/usr/bin/rustc").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_told_the_packages_of_the_dockerfile() {
        let [here, arm64] = packages(&Workspace::find().unwrap()).unwrap();
        for (packages, package) in [
            (&here, "gcc"),
            (&here, "rust-web-src"),
            (&arm64, "gcc-aarch64-linux-gnu"),
            (&arm64, "libstd-rust-web-dev:arm64"),
        ] {
            assert!(
                packages.split_whitespace().any(|word| word == package),
                "{packages}"
            );
            assert!(!packages.contains(['"', '$']), "{packages}");
        }
    }
}
