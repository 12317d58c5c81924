//! The packages of the base whose libraries are linked into every program.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The C library, the compiler's own library, and the standard library of Rust with what goes with it.
const LINKED: [&str; 3] = ["libc6-dev", "libgcc-12-dev", "libstd-rust-web-dev"];
/// The file in which dpkg lists its packages.
const STATUS: &str = "var/lib/dpkg/status";

/// A Debian package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// As Debian names it.
    pub architecture: String,
}

/// The packages of a Debian tree that programs for `architecture` are linked with. Fails if one of them is not there.
pub fn linked(tree: &Path, architecture: &str) -> Result<Vec<Package>> {
    let status = fs::read_to_string(tree.join(STATUS));
    let packages = read(&status.context("the base names no packages")?);
    let of = |name: &&str| {
        let found = packages
            .iter()
            .find(|one| is_linked(one, name, architecture));
        let found = found.with_context(|| format!("the base has no {name} for {architecture}"));
        found.cloned()
    };
    LINKED.iter().map(of).collect()
}

/// True for the package of this name, and for the one that a cross compiler has in its place: Debian names the target
/// in such a package's name, and its architecture is `all`.
fn is_linked(package: &Package, name: &str, architecture: &str) -> bool {
    let native = package.name == name && package.architecture == architecture;
    // A cross compiler has a C library too, but the Dockerfile links the target's own.
    let cross = name == "libgcc-12-dev" && package.name == format!("{name}-{architecture}-cross");
    native || cross
}

fn read(status: &str) -> Vec<Package> {
    let package = |text: &str| {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            Some(line?.strip_prefix(": ")?.to_owned())
        };
        Some(Package {
            name: field("Package")?,
            version: field("Version")?,
            architecture: field("Architecture")?,
        })
    };
    status.split("\n\n").filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A base with these packages, each `name architecture`.
    fn base(packages: &[&str]) -> std::path::PathBuf {
        let name = format!("netdiag-packages-{}-{}", std::process::id(), packages.len());
        let tree = std::env::temp_dir().join(name);
        fs::create_dir_all(tree.join("var/lib/dpkg")).unwrap();
        let stanzas = packages.iter().map(|package| {
            let (name, architecture) = package.split_once(' ').unwrap();
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nVersion: 2-9\n")
        });
        let status = stanzas.collect::<Vec<_>>().join("\n");
        fs::write(tree.join(STATUS), status).unwrap();
        tree
    }

    #[test]
    fn libraries_of_the_architecture_are_found_and_none_may_be_missing() {
        let all = [
            "bash amd64",
            "libc6-dev amd64",
            "libgcc-12-dev amd64",
            "libstd-rust-web-dev amd64",
            "libc6-dev-arm64-cross all",
            "libgcc-12-dev-arm64-cross all",
            "libc6-dev arm64",
            "libstd-rust-web-dev arm64",
        ];
        let tree = base(&all);
        let names = |architecture: &str| -> Vec<String> {
            let found = linked(&tree, architecture).unwrap().into_iter();
            found
                .map(|one| format!("{} {}", one.name, one.architecture))
                .collect()
        };
        assert_eq!(names("amd64"), [all[1], all[2], all[3]]);
        assert_eq!(names("arm64"), [all[6], all[5], all[7]]);
        fs::remove_dir_all(tree).unwrap();

        let tree = base(&all[..2]);
        let missing = linked(&tree, "amd64").unwrap_err().to_string();
        assert_eq!(missing, "the base has no libgcc-12-dev for amd64");
        fs::remove_dir_all(tree).unwrap();
    }
}
