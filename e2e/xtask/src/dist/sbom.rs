//! CycloneDX 1.5: <https://cyclonedx.org/docs/1.5/json/>. No serial number and no time of this run, so that the same
//! program has the same list.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::packages::Package;
use super::tree::{Crate, Key, Tree};

/// The program that a list is about.
pub struct Subject {
    /// Its package, the root of the tree.
    pub root: Key,
    pub architecture: &'static str,
    /// Of its file.
    pub sha256: String,
    /// The time of the commit that it was built from.
    pub created: String,
    pub revision: String,
    /// The Debian packages whose libraries are linked into it.
    pub packages: Vec<Package>,
}

/// The list as JSON.
pub fn text(tree: &Tree, subject: &Subject) -> Result<String> {
    let root = tree.crates.get(&subject.root);
    let root = root.context("the tree has no root")?;
    let mut program = component(root, "application");
    program["hashes"] = json!([{ "alg": "SHA-256", "content": subject.sha256 }]);
    let property =
        |name: &str, value: &str| json!({ "name": format!("netdiag:{name}"), "value": value });
    let list = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": subject.created,
            "component": program,
            "properties": [
                property("architecture", subject.architecture),
                property("revision", &subject.revision),
            ],
        },
        "components": components(tree, subject),
        "dependencies": dependencies(tree, subject),
    });
    let text = serde_json::to_string_pretty(&list).context("failed to write a list")?;
    Ok(text + "\n")
}

fn components(tree: &Tree, subject: &Subject) -> Vec<Value> {
    let others = tree.crates.iter().filter(|(key, _)| **key != subject.root);
    let crates = others.map(|(_, one)| component(one, "library"));
    crates.chain(subject.packages.iter().map(library)).collect()
}

fn component(one: &Crate, kind: &str) -> Value {
    let reference = reference(&(one.name.clone(), one.version.clone()));
    let mut component = json!({
        "type": kind,
        "bom-ref": reference,
        "name": one.name,
        "version": one.version,
        "purl": reference,
    });
    if !one.license.is_empty() {
        component["licenses"] = json!([{ "expression": one.license }]);
    }
    if let Some(checksum) = &one.checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

fn library(package: &Package) -> Value {
    let reference = package_reference(package);
    json!({
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": reference,
    })
}

fn dependencies(tree: &Tree, subject: &Subject) -> Vec<Value> {
    let of = |key: &Key| {
        let uses = tree.uses.get(key).into_iter().flatten();
        let mut on: Vec<String> = uses.map(reference).collect();
        if *key == subject.root {
            on.extend(subject.packages.iter().map(package_reference));
        }
        json!({ "ref": reference(key), "dependsOn": on })
    };
    tree.crates.keys().map(of).collect()
}

/// A package URL: <https://github.com/package-url/purl-spec>.
fn reference((name, version): &Key) -> String {
    format!("pkg:cargo/{name}@{}", escaped(version))
}

fn package_reference(package: &Package) -> String {
    let version = escaped(&package.version);
    let (name, architecture) = (&package.name, &package.architecture);
    format!("pkg:deb/debian/{name}@{version}?arch={architecture}")
}

/// The characters of versions that a URL has other uses for.
fn escaped(version: &str) -> String {
    version.replace('+', "%2B").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn made() -> Value {
        let one = |name: &str, version: &str, checksum: Option<&str>| Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            license: "MIT".to_owned(),
            checksum: checksum.map(str::to_owned),
        };
        let crates = [one("agent", "0.1.0", None), one("a", "1.0.0+x", Some("0a"))];
        let key = |one: &Crate| (one.name.clone(), one.version.clone());
        let mut tree = Tree::default();
        let used = BTreeSet::from([key(&crates[1])]);
        tree.uses.insert(key(&crates[0]), used);
        let root = key(&crates[0]);
        tree.crates = crates.into_iter().map(|one| (key(&one), one)).collect();
        let subject = Subject {
            root,
            architecture: "amd64",
            sha256: "ff".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            revision: "abc".to_owned(),
            packages: vec![Package {
                name: "libc6-dev".to_owned(),
                version: "2.36-9+deb12u10".to_owned(),
                architecture: "amd64".to_owned(),
            }],
        };
        serde_json::from_str(&text(&tree, &subject).unwrap()).unwrap()
    }

    #[test]
    fn a_list_names_the_program_its_crates_and_its_libraries() {
        let list = made();
        assert_eq!(list["bomFormat"], "CycloneDX");
        let program = &list["metadata"]["component"];
        assert_eq!(program["hashes"][0]["content"], "ff");
        let names: Vec<_> = list["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["purl"].as_str().unwrap())
            .collect();
        let libc = "pkg:deb/debian/libc6-dev@2.36-9%2Bdeb12u10?arch=amd64";
        assert_eq!(names, ["pkg:cargo/a@1.0.0%2Bx", libc]);
        assert_eq!(list["components"][0]["hashes"][0]["content"], "0a");
    }

    /// As the schema asks: references are unique, and every dependency is on one of them.
    #[test]
    fn every_dependency_is_on_a_component() {
        let list = made();
        let components = list["components"].as_array().unwrap();
        let mut references: Vec<_> = components.iter().map(|one| &one["bom-ref"]).collect();
        references.push(&list["metadata"]["component"]["bom-ref"]);
        let unique: BTreeSet<_> = references.iter().map(|one| one.as_str()).collect();
        assert_eq!(unique.len(), references.len());
        let mut edges = 0;
        for dependency in list["dependencies"].as_array().unwrap() {
            assert!(references.contains(&&dependency["ref"]));
            for on in dependency["dependsOn"].as_array().unwrap() {
                edges += 1;
                assert!(references.contains(&on), "{on}");
            }
        }
        assert_eq!(edges, 2);
    }
}
