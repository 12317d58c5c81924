//! The files of a checkout.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Every file of a checkout by its path in it, in order; without what is hidden, built or recorded.
///
/// # Errors
///
/// A folder that cannot be listed.
pub fn of_checkout(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    walk(root, Path::new(""), &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder)).context("failed to list a folder")? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = folder.join(&*name);
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "testdata" {
                walk(root, &path, files)?;
            }
        } else if let Some(path) = path.to_str() {
            files.push(path.to_owned());
        }
    }
    Ok(())
}
