//! `cargo xtask publish`: the folder that `cargo xtask dist` made becomes a draft of a release on GitHub.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::checksums;
use crate::job::run_quietly;
use crate::machine::output_of;
use crate::workspace::Workspace;

/// The file that a release's page begins with; it is no file to download.
const NOTES: &str = "RELEASE-NOTES.md";

#[derive(Args)]
pub struct PublishArgs {
    /// Folder of the release; absent: target/dist
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Makes the draft with `gh`, which takes its token from `GH_TOKEN`. A person reads it and publishes it.
///
/// Fails if a file is not the one of its checksum, or if the commit that is checked out has no tag of the version.
pub fn publish(workspace: &Workspace, args: &PublishArgs) -> Result<ExitCode> {
    let folder = args.folder.clone();
    let folder = folder.unwrap_or_else(|| workspace.target.join("dist"));
    let mut check = workspace.command("sha256sum");
    check.args(["--check", "--strict", "--quiet", checksums::FILE]);
    run_quietly(check.current_dir(&folder)).context("a file is not that of its checksum")?;
    let tags = output_of(
        workspace
            .command("git")
            .args(["tag", "--points-at", "HEAD"]),
    );
    let tag = tag(&tags.unwrap_or_default(), &folder)?;
    run_quietly(&mut create(workspace.command("gh"), &tag, &folder)?)
        .context("gh made no release")?;
    println!("A draft of {tag} waits on the page of releases.");
    Ok(ExitCode::SUCCESS)
}

/// The tag of the version whose chart is in the folder.
fn tag(tags: &str, folder: &Path) -> Result<String> {
    let of_folder = |tag: &&str| {
        let version = tag.strip_prefix('v');
        version.is_some_and(|version| folder.join(format!("netdiag-{version}.tgz")).is_file())
    };
    let tag = tags.lines().find(of_folder);
    let tag = tag.with_context(|| format!("no tag of HEAD is the version of {folder:?}"))?;
    Ok(tag.to_owned())
}

/// The command that makes the draft with every file of the folder.
fn create(mut gh: Command, tag: &str, folder: &Path) -> Result<Command> {
    gh.args(["release", "create", tag, "--draft", "--verify-tag"]);
    gh.arg(format!("--title=netdiag {}", tag.trim_start_matches('v')));
    gh.arg(format!("--notes-file={}", folder.join(NOTES).display()));
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("failed to read {folder:?}"))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| !file.ends_with(NOTES));
    files.sort();
    ensure!(files.len() > 1, "{folder:?} has no files");
    gh.args(files);
    Ok(gh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_every_file_of_the_tagged_version() {
        let folder = std::env::temp_dir().join(format!("netdiag-publish-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["netdiag-0.2.0.tgz", NOTES, checksums::FILE] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert!(tag("v0.1.0\nlatest\n", &folder).is_err(), "another version");
        let tag = tag("latest\nv0.2.0\n", &folder).unwrap();
        let gh = create(Command::new("gh"), &tag, &folder).unwrap();
        let words: Vec<_> = gh.get_args().map(|word| word.to_string_lossy()).collect();
        let file = |name: &str| folder.join(name).display().to_string();
        let expected = [
            "release",
            "create",
            "v0.2.0",
            "--draft",
            "--verify-tag",
            "--title=netdiag 0.2.0",
            &format!("--notes-file={}", file(NOTES)),
            &file(checksums::FILE),
            &file("netdiag-0.2.0.tgz"),
        ];
        assert_eq!(words, expected);
        fs::remove_dir_all(folder).unwrap();
    }
}
