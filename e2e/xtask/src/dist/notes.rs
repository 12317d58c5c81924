//! The release notes: what the changelog says of a version, how to verify the files, and every commit since the last
//! version.

use std::fs;

use anyhow::{Context, Result, bail};

use super::commits;
use crate::machine::output_of;
use crate::workspace::Workspace;

/// The project's address, as Cargo.toml and the chart have it. What it serves has the paths of this repository.
const HOME: &str = "https://netdiag.dev";

const VERIFY: &str = "\
`sha256sum --check --ignore-missing SHA256SUMS` compares the files with their checksums. `gh attestation verify FILE \
--repo OWNER/NAME` says which workflow built a file from which commit, where the page has such a signature. `*.cdx.json` \
lists what is compiled into a program.";

/// The notes of `version`, for the commit that is checked out.
pub fn of(workspace: &Workspace, version: &str) -> Result<String> {
    let changelog = fs::read_to_string(workspace.root.join("CHANGELOG.md"));
    let changes = section(&changelog.context("failed to read CHANGELOG.md")?, version)?;
    let git = |arguments: &[&str]| output_of(workspace.command("git").args(arguments));
    // The tag of this version itself is no earlier one.
    let tag = format!("--exclude=v{version}");
    let earlier = git(&["describe", "--tags", "--abbrev=0", "--match=v*", &tag]);
    let range = earlier.as_ref().map(|tag| format!("{tag}..HEAD"));
    let range = range.as_deref().unwrap_or("HEAD");
    let subjects = git(&["log", "--no-merges", "--reverse", "--format=%s", range]);
    let subjects = subjects.context("git tells no commits")?;
    Ok(text(version, &changes, earlier.as_deref(), &subjects))
}

fn text(version: &str, changes: &str, earlier: Option<&str>, subjects: &str) -> String {
    let since = earlier.map_or_else(String::new, |tag| format!(" since {tag}"));
    let mut lines = vec![
        format!("# netdiag {version}"),
        String::new(),
        with_addresses(changes.trim()),
        String::new(),
        "## Verify".to_owned(),
        String::new(),
        VERIFY.to_owned(),
        String::new(),
        format!("## {} commits{since}", subjects.lines().count()),
    ];
    for (area, changes) in commits::by_area(subjects) {
        lines.extend([String::new(), format!("**{area}**"), String::new()]);
        lines.extend(changes.iter().map(|change| format!("- {change}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Text whose links to files of this repository are addresses: the notes are read elsewhere.
fn with_addresses(text: &str) -> String {
    ["docs", "charts", "examples"]
        .iter()
        .fold(text.to_owned(), |text, folder| {
            text.replace(&format!("]({folder}/"), &format!("]({HOME}/{folder}/"))
        })
}

/// The changelog's section of a version; what is not released yet belongs to the version to come, unless that has one.
fn section(changelog: &str, version: &str) -> Result<String> {
    let of = |title: &str| {
        let (_, rest) = changelog.split_once(&format!("\n## {title}\n"))?;
        let (section, _) = rest.split_once("\n## ").unwrap_or((rest, ""));
        Some(section.trim().to_owned())
    };
    match (of("Unreleased"), of(version)) {
        (Some(unreleased), _) if !unreleased.is_empty() => Ok(unreleased),
        (_, Some(section)) => Ok(section),
        _ => bail!("CHANGELOG.md has no section {version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## 0.2.0\n\n### Added\n\n- New.\n\n## 0.1.0\n\nOld.\n";

    #[test]
    fn a_version_has_its_own_section() {
        assert_eq!(section(CHANGELOG, "0.2.0").unwrap(), "### Added\n\n- New.");
        assert_eq!(section(CHANGELOG, "0.1.0").unwrap(), "Old.");
        assert!(section(CHANGELOG, "0.3.0").is_err());
        let unreleased = CHANGELOG.replace("## 0.2.0", "## Unreleased");
        assert_eq!(
            section(&unreleased, "0.2.0").unwrap(),
            "### Added\n\n- New."
        );
    }

    #[test]
    fn every_commit_is_named() {
        let notes = text(
            "0.2.0",
            "New: [a](docs/a.md#b).",
            Some("v0.1.0"),
            "chart: add x\nagent: find y",
        );
        let link = "[a](https://netdiag.dev/docs/a.md#b)";
        let begin = format!("# netdiag 0.2.0\n\nNew: {link}.\n");
        assert!(notes.starts_with(&begin), "{notes}");
        assert!(notes.contains("## 2 commits since v0.1.0\n\n**agent**\n\n- find y\n\n**chart**"));
    }

    #[test]
    fn the_changelog_of_this_checkout_has_notes() {
        let workspace = Workspace::find().unwrap();
        let changelog = fs::read_to_string(workspace.root.join("CHANGELOG.md")).unwrap();
        assert!(!section(&changelog, "0.1.0").unwrap().is_empty());
    }
}
