//! `cargo xtask compare`: what two builds of the agent find in the same recordings.
//!
//! Shows what a change of the detectors or the ledger does to evidence of real kernels. Words are left out, so that
//! they can be improved freely.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Map, Value};

use crate::workspace::Workspace;

/// The folder below which each check keeps its recordings in `testdata/`.
const DETECTORS: &str = "agent/diagnosis/src/detectors";
/// The fields of a finding that are compared, as reports spell them.
const OF_FINDING: [&str; 8] = [
    "id",
    "check",
    "cause",
    "severity",
    "confidence",
    "subject",
    "count",
    "causedBy",
];

#[derive(Args)]
#[command(after_help = "Example:\n  \
    git worktree add ../before main && (cd ../before && AYA_BUILD_SKIP=1 cargo build -p netdiag-agent)\n  \
    AYA_BUILD_SKIP=1 cargo build -p netdiag-agent\n  \
    cargo xtask compare ../before/target/debug/netdiag-agent target/debug/netdiag-agent")]
pub struct CompareArgs {
    /// The agent of before
    before: PathBuf,
    /// The agent of now
    now: PathBuf,
}

/// Replays every recording with both agents; fails when a finding or a row of a ledger differs.
pub fn compare(workspace: &Workspace, args: &CompareArgs) -> Result<ExitCode> {
    let mut recordings = Vec::new();
    collect(&workspace.root.join(DETECTORS), &mut recordings)?;
    recordings.sort();
    ensure!(!recordings.is_empty(), "no recording below {DETECTORS}");
    let mut changed = 0_usize;
    for recording in &recordings {
        let before = replay(workspace, &args.before, recording)?;
        let now = replay(workspace, &args.now, recording)?;
        if before == now {
            continue;
        }
        changed += 1;
        let name = recording.strip_prefix(&workspace.root).unwrap_or(recording);
        println!("{}", name.display());
        for line in before.difference(&now) {
            println!("  - {line}");
        }
        for line in now.difference(&before) {
            println!("  + {line}");
        }
    }
    println!("{changed} of {} recordings changed", recordings.len());
    Ok(if changed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn collect(folder: &Path, recordings: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, recordings)?;
        } else if path.to_string_lossy().ends_with(".json.gz") {
            recordings.push(path);
        }
    }
    Ok(())
}

/// The findings and the rows of the ledger, a line of JSON each.
fn replay(workspace: &Workspace, agent: &Path, recording: &Path) -> Result<BTreeSet<String>> {
    let output = workspace
        .command(agent)
        .args(["diagnose", "-o", "json", "--replay"])
        .arg(recording)
        .output()
        .with_context(|| format!("failed to run {}", agent.display()))?;
    if !output.status.success() {
        bail!(
            "{} cannot replay {}: {}",
            agent.display(),
            recording.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let report: Value =
        serde_json::from_slice(&output.stdout).context("the agent printed no JSON")?;
    let result = &report["status"]["results"][0];
    let findings = list(result, "findings").map(|finding| {
        let fields = OF_FINDING.iter().filter_map(|field| {
            let value = finding.get(field)?;
            Some(((*field).to_owned(), value.clone()))
        });
        Value::Object(Map::from_iter(fields)).to_string()
    });
    let ledger = list(result, "ledger").map(Value::to_string);
    Ok(findings.chain(ledger).collect())
}

fn list<'a>(result: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    result[name].as_array().into_iter().flatten()
}
