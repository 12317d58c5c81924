//! An image in a file: what `docker save` writes and container runtimes load.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::machine::output_of;
use crate::workspace::Workspace;

/// A docker archive.
pub struct Archive {
    /// Name and tag of the image in it.
    pub name: String,
    pub path: PathBuf,
    /// Its size, which is that of the unpacked image and some kilobytes.
    pub bytes: u64,
    /// The SHA-256 of the image's configuration, by which container runtimes know it. It covers all layers' contents.
    pub digest: String,
}

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    /// The configuration's file: `<digest>.json`, or `blobs/sha256/<digest>`.
    config: String,
}

impl Archive {
    /// Reads what was written to `path`.
    pub fn read(workspace: &Workspace, name: String, path: PathBuf) -> Result<Self> {
        let metadata = path.metadata();
        let bytes = metadata
            .with_context(|| format!("failed to read {}", path.display()))?
            .len();
        let mut tar = workspace.command("tar");
        tar.args(["--extract", "--to-stdout", "--file"])
            .arg(&path)
            .arg("manifest.json");
        let manifest = output_of(&mut tar)
            .with_context(|| format!("{} is no docker archive", path.display()))?;
        Ok(Self {
            name,
            path,
            bytes,
            digest: digest(&manifest)?,
        })
    }
}

fn digest(manifest: &str) -> Result<String> {
    let manifests: Vec<Manifest> =
        serde_json::from_str(manifest).context("failed to read manifest.json of an image")?;
    let config = &manifests
        .first()
        .context("an archive holds no image")?
        .config;
    let file = config.rsplit('/').next().unwrap_or(config);
    Ok(format!("sha256:{}", file.trim_end_matches(".json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_read_from_archives_of_all_builders() {
        let of = |config: &str| {
            digest(&format!(
                r#"[{{"Config":"{config}","RepoTags":[],"Layers":[]}}]"#
            ))
            .unwrap()
        };
        assert_eq!(of("0a1b.json"), "sha256:0a1b");
        assert_eq!(of("blobs/sha256/0a1b"), "sha256:0a1b");
        assert!(digest("[]").is_err());
    }
}
