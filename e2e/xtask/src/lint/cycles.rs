//! Files that take from each other in a circle: none of them can be understood, moved or tested without the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use super::files;
use super::modules::Modules;

/// A file, and what it imports.
type Imports<'a> = BTreeMap<&'a Path, BTreeSet<&'a Path>>;

/// Each circle of imports in the workspace, a line each.
///
/// # Errors
///
/// A source file that cannot be read.
pub fn check_folder(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files::of_checkout(root)?
        .iter()
        .filter(|file| is_root(file))
    {
        let modules = Modules::read(&root.join(file))?;
        for circle in circles(&modules.imports()) {
            let names = circle.iter().map(|file| {
                file.strip_prefix(root)
                    .unwrap_or(file)
                    .display()
                    .to_string()
            });
            found.push(format!(
                "import in a circle: {}",
                names.collect::<Vec<_>>().join(", ")
            ));
        }
    }
    Ok(found)
}

/// Whether this file is where a crate begins.
fn is_root(file: &str) -> bool {
    file.ends_with("/lib.rs") || file.ends_with("/main.rs")
}

/// The files that reach each other, where more than one do.
fn circles<'a>(imports: &Imports<'a>) -> BTreeSet<BTreeSet<&'a Path>> {
    let reached: Imports<'a> = imports
        .keys()
        .map(|file| (*file, all_reached(imports, file)))
        .collect();
    let circles = reached
        .iter()
        .filter(|(file, reached)| reached.contains(*file));
    let circles = circles.map(|(file, from_it)| {
        let back = from_it
            .iter()
            .filter(|other| reached[*other].contains(file));
        back.copied().collect()
    });
    circles.collect()
}

fn all_reached<'a>(imports: &Imports<'a>, from: &Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(file) = waiting.pop() {
        for next in imports.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                waiting.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::*;

    #[test]
    fn a_circle_of_files_is_found_and_a_line_is_none() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(Path::new);
        let line = Imports::from([(a, [b].into()), (b, [c].into()), (c, [].into())]);
        assert!(circles(&line).is_empty());
        let circle = Imports::from([
            (a, [b].into()),
            (b, [c].into()),
            (c, [a, d].into()),
            (d, [].into()),
        ]);
        assert_eq!(circles(&circle), BTreeSet::from([[a, b, c].into()]));
    }

    /// What is found in a crate of these files.
    fn found(name: &str, files: &[(&str, &str)]) -> Vec<String> {
        let root = env::temp_dir().join(format!("netdiag-cycles-{name}-{}", process::id()));
        fs::create_dir_all(root.join("src/whole")).unwrap();
        for (file, text) in files {
            fs::write(root.join("src").join(file), text).unwrap();
        }
        let found = check_folder(&root);
        fs::remove_dir_all(&root).unwrap();
        found.unwrap()
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod one;\nmod two;\npub mod whole;");
    const TWO: (&str, &str) = ("two.rs", "pub struct Two;\nfn f(_: crate::whole::Part) {}");

    #[test]
    fn a_circle_through_a_reexport_is_found_in_source_files() {
        let circle = [
            ROOT,
            (
                "one.rs",
                "pub fn one() -> super::two::Two { super::two::Two }",
            ),
            TWO,
            ("whole/mod.rs", "mod part;\npub use part::Part;"),
            ("whole/part.rs", "use crate::one::one;\npub struct Part;"),
        ];
        let expected = "import in a circle: src/one.rs, src/two.rs, src/whole/part.rs";
        assert_eq!(found("circle", &circle), [expected]);
    }

    #[test]
    fn tests_and_the_parts_of_a_module_are_no_circle() {
        let tested = "pub fn one() {}\n#[cfg(test)]\nmod tests {\n    use crate::two::Two;\n}";
        let line = [
            ROOT,
            ("one.rs", tested),
            TWO,
            (
                "whole/mod.rs",
                "mod part;\npub use part::Part;\nfn f(_: Part) {}",
            ),
            (
                "whole/part.rs",
                "use super::super::one::one;\npub struct Part;",
            ),
        ];
        assert_eq!(found("line", &line), [""; 0]);
    }
}
