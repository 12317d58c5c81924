//! SHA256SUMS, as `sha256sum --check` reads it, and what it tells.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::output_of;
use crate::workspace::Workspace;

/// The file with the sums of all others.
pub const FILE: &str = "SHA256SUMS";

/// The sum of one file, as hexadecimal digits.
pub fn of(workspace: &Workspace, file: &Path) -> Result<String> {
    let said = output_of(workspace.command("sha256sum").arg(file));
    let said = said.with_context(|| format!("failed to read {}", file.display()))?;
    let sum = said.split_whitespace().next().unwrap_or_default();
    // A name with a backslash puts one before the sum.
    Ok(sum.trim_start_matches('\\').to_owned())
}

/// Writes the sums of all files of a folder, in the order of their names.
pub fn write(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut text = String::new();
    for name in names(folder)? {
        let sum = of(workspace, &folder.join(&name))?;
        text.push_str(&format!("{sum}  {name}\n"));
    }
    super::write(folder, FILE, &text)
}

/// The names of files whose sums differ between two folders, or that only one of them has.
pub fn differing(one: &Path, other: &Path) -> Result<Vec<String>> {
    let (one, other) = (read(one)?, read(other)?);
    let names = one.keys().chain(other.keys());
    let mut names: Vec<_> = names
        .filter(|name| one.get(*name) != other.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Each file with its size and the beginning of its sum.
pub fn table(folder: &Path) -> Result<String> {
    let sums = read(folder)?;
    let width = sums.keys().map(String::len).max().unwrap_or_default();
    let mut lines = vec![format!("{:width$}  {:>8}  SHA-256", "FILE", "KB")];
    for (name, sum) in &sums {
        let metadata = fs::metadata(folder.join(name));
        let bytes = metadata.with_context(|| format!("{name} is gone"))?.len();
        let kilobytes = bytes.div_ceil(1000);
        lines.push(format!("{name:width$}  {kilobytes:8}  {}", &sum[..16]));
    }
    lines.push(folder.display().to_string());
    Ok(lines.join("\n"))
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("failed to read {}", folder.display()))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.retain(|name| name != FILE);
    names.sort();
    Ok(names)
}

/// Sums by file.
fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let path = folder.join(FILE);
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("failed to read {}", path.display()))?;
    let pairs = text.lines().map(|line| {
        let (sum, name) = line.split_once("  ").context("no line of a sum")?;
        anyhow::ensure!(sum.len() == 64, "no sum: {sum:?}");
        Ok((name.to_owned(), sum.to_owned()))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_and_a_missing_file_are_named() {
        let root = std::env::temp_dir().join(format!("netdiag-sums-{}", std::process::id()));
        let workspace = Workspace::find().unwrap();
        let made = |name: &str, files: &[(&str, &str)]| {
            let folder = root.join(name);
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in files {
                fs::write(folder.join(file), text).unwrap();
            }
            write(&workspace, &folder).unwrap();
            folder
        };
        let one = made("one", &[("a", ""), ("b", "1"), ("c", "")]);
        let other = made("other", &[("a", ""), ("b", "2")]);
        assert_eq!(differing(&one, &other).unwrap(), ["b", "c"]);
        assert!(differing(&one, &one).unwrap().is_empty());
        let sums = fs::read_to_string(one.join(FILE)).unwrap();
        // Of nothing.
        let first = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n";
        assert!(sums.starts_with(first), "{sums}");
        assert_eq!(sums.lines().count(), 3, "not its own");
        assert!(table(&one).unwrap().contains("e3b0c44298fc1c14"));
        fs::remove_dir_all(root).unwrap();
    }
}
