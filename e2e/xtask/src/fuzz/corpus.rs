//! The inputs that the repository keeps, so that a short run begins where long ones ended.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// Bytes and files that are kept of a target; all targets together stay below 1 MiB.
const MOST_BYTES: u64 = 96 * 1024;
const MOST_FILES: usize = 200;

/// The folder of a target's inputs.
pub fn kept(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.root.join("fuzz/corpus").join(target)
}

/// Replaces the kept inputs by those in `from`, smallest first, as many as there is room for.
pub fn write(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("failed to list {from:?}"))?;
    let mut files: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.len(), entry.path()))
        })
        .collect();
    files.sort();
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).with_context(|| format!("failed to create {to:?}"))?;
    let mut bytes = 0;
    for (size, file) in files.into_iter().take(MOST_FILES) {
        bytes += size;
        if bytes > MOST_BYTES {
            break;
        }
        let name = file.file_name().context("a file has a name")?;
        fs::copy(&file, to.join(name)).with_context(|| format!("failed to copy {file:?}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_inputs_stay_small() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let targets = fs::read_dir(root).unwrap();
        let files = targets.flat_map(|target| fs::read_dir(target.unwrap().path()).unwrap());
        let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
        let sum: u64 = sizes.sum();
        assert!(sum > 0 && sum <= 1 << 20, "{sum} bytes");
    }
}
