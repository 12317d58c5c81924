//! Folders in the cache: named by what they are made from, and there only when they are complete.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// The folder for exactly these inputs.
pub fn folder(workspace: &Workspace, name: &str, inputs: &[String]) -> PathBuf {
    let key = hash(&inputs.join("\n"));
    workspace.cache.join(format!("{name}-{key:016x}"))
}

/// The path at which a folder is made until it is complete. No two runs share it.
pub fn unfinished(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!("-unfinished-{}", std::process::id()));
    name.into()
}

/// Gives a complete folder its name.
pub fn finish(folder: &Path, is_complete: impl Fn(&Path) -> bool) -> Result<()> {
    let made = unfinished(folder);
    match fs::rename(&made, folder) {
        // Another run was faster; its result is as good.
        Err(_) if is_complete(folder) => fs::remove_dir_all(&made)
            .with_context(|| format!("failed to remove {}", made.display())),
        renamed => renamed.with_context(|| format!("failed to make {}", folder.display())),
    }
}

/// FNV-1a, 64 bits: names a cache folder, and must be the same on every machine and Rust release.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_input_is_another_cache_folder() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(hash("k8s.io/api v0.35.4"), hash("k8s.io/api v0.35.5"));
    }
}
