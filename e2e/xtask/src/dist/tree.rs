//! The crates that are compiled into a program, from `cargo tree`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

use crate::machine::output_of;
use crate::workspace::Workspace;

/// A crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    pub name: String,
    pub version: String,
    /// An SPDX expression; empty: its manifest has none.
    pub license: String,
    /// The SHA-256 of its archive, by Cargo.lock; absent: it is one of this workspace.
    pub checksum: Option<String>,
}

/// Crates by name and version, each with those that it uses.
#[derive(Default)]
pub struct Tree {
    pub crates: BTreeMap<Key, Crate>,
    pub uses: BTreeMap<Key, BTreeSet<Key>>,
}

/// Name and version.
pub type Key = (String, String);

impl Tree {
    /// Adds all that is compiled into the package for a target. Macros and build scripts only run while it is compiled.
    pub fn add(&mut self, workspace: &Workspace, package: &str, target: &str) -> Result<Key> {
        let mut cargo = workspace.cargo();
        cargo.args(["tree", "--locked", "--offline", "--package", package]);
        cargo.args(["--edges=normal,no-proc-macro", "--target", target]);
        cargo.args(["--prefix=depth", "--format={p}|{l}"]);
        let printed = output_of(&mut cargo);
        let printed = printed.with_context(|| format!("cargo tells no tree of {package}"))?;
        let lock = fs::read_to_string(workspace.root.join("Cargo.lock"));
        let sums = checksums(&lock.context("failed to read Cargo.lock")?);
        self.read(&printed, &sums)
    }

    /// Reads what cargo printed: a line each with its depth before the name. Returns the first.
    fn read(&mut self, printed: &str, sums: &BTreeMap<Key, String>) -> Result<Key> {
        let mut above: Vec<Key> = Vec::new();
        for line in printed.lines().filter(|line| !line.is_empty()) {
            let (depth, one) = parse(line).with_context(|| format!("no crate: {line:?}"))?;
            let key = (one.name.clone(), one.version.clone());
            let checksum = sums.get(&key).cloned();
            above.truncate(depth);
            if let Some(user) = above.last() {
                let uses = self.uses.entry(user.clone()).or_default();
                uses.insert(key.clone());
            }
            above.push(key.clone());
            self.crates.entry(key).or_insert(Crate { checksum, ..one });
        }
        above.into_iter().next().context("cargo printed no crate")
    }
}

/// `2serde v1.0.0 (/folder)|MIT (*)`.
fn parse(line: &str) -> Option<(usize, Crate)> {
    let digits = line.find(|c: char| !c.is_ascii_digit())?;
    let (depth, rest) = line.split_at(digits);
    let (package, license) = rest.split_once('|')?;
    let mut words = package.split(' ');
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    let license = license.trim_end_matches(" (*)").trim();
    let one = Crate {
        name: name.to_owned(),
        version: version.to_owned(),
        // Older manifests write a slash for a choice.
        license: license.replace('/', " OR "),
        checksum: None,
    };
    Some((depth.parse().ok()?, one))
}

/// The checksums of Cargo.lock.
fn checksums(lock: &str) -> BTreeMap<Key, String> {
    let package = |text: &str| {
        let field = |name: &str| {
            let begin = format!("{name} = \"");
            let value = text.lines().find_map(|line| line.strip_prefix(&begin));
            Some(value?.trim_end_matches('"').to_owned())
        };
        Some(((field("name")?, field("version")?), field("checksum")?))
    };
    lock.split("[[package]]").filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, version: &str) -> Key {
        (name.to_owned(), version.to_owned())
    }

    #[test]
    fn edges_follow_the_depth_also_of_crates_that_were_shown_before() {
        let printed = "0agent v0.1.0 (/w/agent)|MIT OR Apache-2.0\n1a v1.0.0|MIT/Apache-2.0\n\
                       2b v2.0.0|\n1c v3.0.0|MIT\n2b v2.0.0| (*)\n2a v1.0.0|MIT/Apache-2.0 (*)\n";
        let lock = "[[package]]\nname = \"b\"\nversion = \"2.0.0\"\nchecksum = \"0a\"\n\n\
                    [[package]]\nname = \"agent\"\nversion = \"0.1.0\"\n";
        let mut tree = Tree::default();
        let root = tree.read(printed, &checksums(lock)).unwrap();
        assert_eq!(root, key("agent", "0.1.0"));
        assert_eq!(tree.crates.len(), 4);
        let b = &tree.crates[&key("b", "2.0.0")];
        assert_eq!(
            (b.license.as_str(), b.checksum.as_deref()),
            ("", Some("0a"))
        );
        assert_eq!(tree.crates[&key("a", "1.0.0")].license, "MIT OR Apache-2.0");
        assert_eq!(tree.crates[&root].checksum, None);
        let uses = &tree.uses[&key("c", "3.0.0")];
        assert_eq!(
            uses.iter().collect::<Vec<_>>(),
            [&key("a", "1.0.0"), &key("b", "2.0.0")]
        );
    }

    #[test]
    fn every_crate_of_the_controller_has_a_checksum_and_a_license() {
        let workspace = Workspace::find().unwrap();
        let mut tree = Tree::default();
        let root = tree.add(
            &workspace,
            "netdiag-controller",
            "aarch64-unknown-linux-gnu",
        );
        let (name, _) = root.unwrap();
        assert_eq!(name, "netdiag-controller");
        assert!(tree.crates.len() > 50);
        for (key, one) in &tree.crates {
            assert!(!one.license.is_empty(), "{key:?}");
            let is_own = one.name.starts_with("netdiag-");
            assert_eq!(one.checksum.is_none(), is_own, "{key:?}");
        }
        assert!(
            !tree.crates.keys().any(|(name, _)| name == "syn"),
            "no macro"
        );
    }
}
