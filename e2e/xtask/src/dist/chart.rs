//! The chart as an archive, and what it renders as one manifest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive;
use crate::machine::output_of;
use crate::setup;
use crate::workspace::Workspace;

const NAME: &str = "netdiag";
/// As docs/install.md has it; agents are refused without the label.
const NAMESPACE: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: netdiag-system
  labels:
    pod-security.kubernetes.io/enforce: privileged
";

/// Packs the chart, whose version must be the workspace's.
pub fn archive(workspace: &Workspace, version: &str, folder: &Path) -> Result<PathBuf> {
    let charts = workspace.root.join("charts");
    let own = std::fs::read_to_string(charts.join(NAME).join("Chart.yaml"));
    check_version(&own.context("failed to read Chart.yaml")?, version)?;
    let path = folder.join(format!("{NAME}-{version}.tgz"));
    archive::pack(workspace, &charts, NAME, &path)?;
    Ok(path)
}

/// Renders the archive with no values except where the images are, behind the namespace that it needs.
pub fn manifest(workspace: &Workspace, archive: &Path, registry: &str) -> Result<String> {
    let assets = setup::assets(workspace)?.context("there is no helm")?;
    let mut helm = workspace.command(assets.join("helm"));
    helm.args(["template", NAME]).arg(archive);
    helm.args(["--namespace=netdiag-system", "--skip-tests"]);
    helm.arg(format!("--set=image.registry={registry}"));
    let rendered = output_of(&mut helm).context("helm did not render the chart")?;
    Ok(with_namespace(&rendered, registry))
}

fn with_namespace(rendered: &str, registry: &str) -> String {
    let rendered = rendered.trim_start_matches("---\n");
    format!(
        "# kubectl apply --server-side -f install.yaml\n# Images come from {registry}.\n{NAMESPACE}---\n{rendered}\n"
    )
}

fn check_version(chart: &str, version: &str) -> Result<()> {
    for field in ["version", "appVersion"] {
        let line = format!("{field}: {version}");
        let has = chart.lines().any(|one| one == line);
        anyhow::ensure!(has, "Chart.yaml has no line {line:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_of_another_version_is_refused() {
        let chart = "name: netdiag\nversion: 1.2.0\nappVersion: 1.2.0\n";
        check_version(chart, "1.2.0").unwrap();
        assert!(check_version(chart, "1.2.1").is_err());
        assert!(check_version("version: 1.2.0\nappVersion: 1.1.0\n", "1.2.0").is_err());
    }

    #[test]
    fn the_namespace_comes_first() {
        let manifest = with_namespace("---\n# Source: a\nkind: A", "r.example");
        let kinds: Vec<_> = manifest
            .lines()
            .filter(|line| line.starts_with("kind") || *line == "---")
            .collect();
        assert_eq!(kinds, ["kind: Namespace", "---", "kind: A"]);
    }
}
