//! etcd, kube-apiserver, kubectl and helm: those that are there, else those that were built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::cache;
use crate::machine::{on_path, output_of, version_in};
use crate::workspace::Workspace;

const PROGRAMS: [&str; 4] = ["etcd", "kube-apiserver", "kubectl", "helm"];
const VERSION: &str = "v1.35.4";
/// Built against the same minor release of Kubernetes' packages.
const HELM_VERSION: &str = "v3.20.2";
/// Validation rules of custom resources are stable, and cheap enough, from here on.
const MINIMUM: (u32, u32) = (1, 30);
/// Package paths; the last path element becomes the file's name, so etcd comes out as `server`.
pub const PACKAGES: [&str; 4] = [
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kubectl",
    "go.etcd.io/etcd/server/v3",
    "helm.sh/helm/v3/cmd/helm",
];

/// The folder to give as KUBEBUILDER_ASSETS; nothing where PATH has all programs.
pub fn assets(workspace: &Workspace) -> Result<Option<PathBuf>> {
    if let Some(folder) = given() {
        return Ok(Some(folder));
    }
    if on_path_and_new_enough(workspace) {
        return Ok(None);
    }
    let folder = folder(workspace)?;
    if !has_programs(&folder) {
        bail!("the control plane has not been built");
    }
    Ok(Some(folder))
}

/// True if a control plane can be started.
pub fn is_present(workspace: &Workspace) -> bool {
    assets(workspace).is_ok()
}

fn given() -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?);
    has_programs(&folder).then_some(folder)
}

/// True if the folder has them all.
pub fn has_programs(folder: &Path) -> bool {
    let mut programs = PROGRAMS.iter();
    programs.all(|program| folder.join(program).is_file())
}

fn on_path_and_new_enough(workspace: &Workspace) -> bool {
    PROGRAMS.iter().all(|program| on_path(program))
        && output_of(workspace.command("kube-apiserver").arg("--version"))
            .and_then(|text| version_in(&text))
            .is_some_and(|version| version >= MINIMUM)
}

/// The cache's folder of those that are built here.
pub fn folder(workspace: &Workspace) -> Result<PathBuf> {
    cached(workspace, "kubernetes", &PACKAGES.map(str::to_owned))
}

/// The cache's folder for exactly these inputs.
pub fn cached(workspace: &Workspace, name: &str, packages: &[String]) -> Result<PathBuf> {
    let module = workspace.root.join("e2e/kubernetes");
    let mut inputs = vec![VERSION.to_owned(), linker_flags(), packages.join(" ")];
    for file in ["go.mod", "go.sum"] {
        let path = module.join(file);
        let text = fs::read_to_string(&path);
        inputs.push(text.with_context(|| format!("failed to read {}", path.display()))?);
    }
    let name = format!("{name}-{VERSION}");
    Ok(cache::folder(workspace, &name, &inputs))
}

/// Built as modules, the programs would not know their version, and clients compare it.
pub fn linker_flags() -> String {
    let (major, minor) = version_in(VERSION).unwrap_or_default();
    let mut flags = String::from("-s -w");
    for package in [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ] {
        let values = [
            ("gitVersion", VERSION.to_owned()),
            ("gitMajor", major.to_string()),
            ("gitMinor", minor.to_string()),
            ("gitTreeState", "clean".to_owned()),
            ("gitCommit", "0".repeat(40)),
            ("buildDate", "1970-01-01T00:00:00Z".to_owned()),
        ];
        for (name, value) in values {
            flags += &format!(" -X {package}.{name}={value}");
        }
    }
    // Which releases of Kubernetes a chart is linted and rendered for, unless told otherwise.
    for package in ["pkg/chartutil", "pkg/lint/rules"] {
        for (name, value) in [("k8sVersionMajor", major), ("k8sVersionMinor", minor)] {
            flags += &format!(" -X helm.sh/helm/v3/{package}.{name}={value}");
        }
    }
    flags + &format!(" -X helm.sh/helm/v3/internal/version.version={HELM_VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_the_version() {
        let flags = linker_flags();
        assert!(flags.contains("version.gitVersion=v1.35.4"), "{flags}");
        assert!(flags.contains("version.gitMinor=35"), "{flags}");
    }
}
