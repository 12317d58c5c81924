//! The sources of images: the files that .dockerignore lets through, and git's facts about them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::output_of;
use crate::workspace::Workspace;

/// The present state of the sources.
pub struct Sources {
    /// Path and text of each file.
    files: Vec<String>,
    /// The last commit that changed them, with `-dirty` if they are not as it left them; `unknown` outside git.
    pub revision: String,
    /// That commit's time as RFC 3339 has it, in UTC.
    pub created: String,
    /// The workspace's version.
    pub version: String,
}

impl Sources {
    /// Reads all files.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let ignore = read(&workspace.root.join(".dockerignore"))?;
        let paths = allowed(&ignore);
        let mut files = Vec::new();
        for path in ["Dockerfile", ".dockerignore"]
            .into_iter()
            .chain(paths.iter().copied())
        {
            collect(&workspace.root, Path::new(path), &mut files)?;
        }
        let git = |arguments: &[&str]| {
            let mut git = workspace.command("git");
            git.env("TZ", "UTC").args(arguments);
            git.args(["--", "Dockerfile", ".dockerignore"]).args(&paths);
            // Recordings are in no image.
            output_of(git.arg(":(exclude,glob)**/testdata/**"))
        };
        let commit = [
            "log",
            "-1",
            "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
            "--format=%H %cd",
        ];
        let commit = git(&commit).unwrap_or_default();
        let (revision, created) = commit
            .split_once(' ')
            .unwrap_or(("unknown", "1970-01-01T00:00:00Z"));
        let changed = git(&["status", "--porcelain"]).is_some_and(|changed| !changed.is_empty());
        let manifest = read(&workspace.root.join("Cargo.toml"))?;
        Ok(Self {
            files,
            revision: format!("{revision}{}", if changed { "-dirty" } else { "" }),
            created: created.to_owned(),
            version: version(&manifest)?,
        })
    }

    /// Labels that a Dockerfile cannot know, by the last part of their names:
    /// <https://specs.opencontainers.org/image-spec/annotations/>
    pub fn labels(&self) -> [(&'static str, &str); 3] {
        [
            ("version", &self.version),
            ("revision", &self.revision),
            ("created", &self.created),
        ]
    }

    /// All that the images depend on.
    pub fn inputs(&self) -> Vec<String> {
        let mut inputs = self.files.clone();
        let labels = self.labels();
        inputs.extend(labels.map(|(name, value)| format!("{name}={value}")));
        inputs
    }
}

/// The files that decide how images are compiled, beside the sources themselves.
const BUILD_FILES: [&str; 3] = ["Dockerfile", ".dockerignore", "Cargo.lock"];

/// True if the last commit, or a change that is not committed yet, changes how images are compiled; also where git does
/// not tell.
pub fn build_changed(workspace: &Workspace) -> bool {
    let mut git = workspace.command("git");
    git.args(["diff", "--quiet", "HEAD~1", "--"]);
    output_of(git.args(BUILD_FILES)).is_none()
}

/// The paths that .dockerignore makes exceptions for.
fn allowed(ignore: &str) -> Vec<&str> {
    ignore
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect()
}

/// Path and text of a file, or of all files below a folder in the order of their names.
fn collect(root: &Path, path: &Path, files: &mut Vec<String>) -> Result<()> {
    let full = root.join(path);
    if !full.is_dir() {
        files.push(format!("{}\n{}", path.display(), read(&full)?));
        return Ok(());
    }
    if path.ends_with("testdata") {
        return Ok(());
    }
    let entries =
        fs::read_dir(&full).with_context(|| format!("failed to read {}", full.display()))?;
    let mut names: Vec<_> = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<_>>()?;
    names.sort();
    names
        .iter()
        .try_for_each(|name| collect(root, &path.join(name), files))
}

/// `version` of the table `workspace.package`, which stands first.
fn version(manifest: &str) -> Result<String> {
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    line.map(str::to_owned)
        .context("Cargo.toml tells no version")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_sees_is_what_is_hashed() {
        let sources = Sources::read(&Workspace::find().unwrap()).unwrap();
        let has = |path: &str| {
            sources
                .files
                .iter()
                .any(|file| file.lines().next().unwrap() == path)
        };
        for file in [
            "Dockerfile",
            "Cargo.lock",
            "ebpf/src/main.rs",
            "telemetry/Cargo.toml",
            "e2e/Cargo.toml",
        ] {
            assert!(has(file), "{file}");
        }
        assert!(
            !has("e2e/src/lib.rs"),
            "no change of a test builds images again"
        );
    }

    #[test]
    fn the_version_is_the_workspaces() {
        let manifest = "[workspace.package]\nversion = \"1.2.3\"\n\n[workspace.dependencies]\n";
        assert_eq!(version(manifest).unwrap(), "1.2.3");
        assert!(version("[workspace]\n").is_err());
    }
}
