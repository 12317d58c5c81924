//! Container images of single programs, for tests: a docker archive with the program and the libraries that it is
//! linked to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::process::run;

/// The content of an image.
pub struct Image<'a> {
    /// Its name with tag, such as `localhost/pause:1`.
    pub name: &'a str,
    /// The program, which becomes `/<file name>` and the entry point.
    pub program: &'a Path,
    /// Arguments that it is always given.
    pub arguments: &'a [&'a str],
}

impl Image<'_> {
    /// Writes the archive into a folder; returns its path. The same inputs give the same bytes.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let file = self.program.file_name().and_then(|name| name.to_str());
        let file = file.context("a program has a name")?;
        let layer = self.layer(file)?;
        let layer_digest = digest(&layer);
        let entry: Vec<String> = std::iter::once(format!("/{file}"))
            .chain(self.arguments.iter().map(|&argument| argument.to_owned()))
            .collect();
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Entrypoint": entry },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        });
        let config = config.to_string().into_bytes();
        let config_file = format!("{}.json", digest(&config));
        let layer_file = format!("{layer_digest}/layer.tar");
        let manifest = json!([{
            "Config": config_file, "RepoTags": [self.name], "Layers": [layer_file],
        }]);
        let path = folder.join(format!("{file}.tar"));
        let output = fs::File::create(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
        let mut archive = Builder::new(output);
        add(&mut archive, &config_file, 0o644, &config)?;
        add(&mut archive, &layer_file, 0o644, &layer)?;
        add(
            &mut archive,
            "manifest.json",
            0o644,
            manifest.to_string().as_bytes(),
        )?;
        archive.into_inner().context("failed to end an archive")?;
        Ok(path)
    }

    fn layer(&self, file: &str) -> Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        let mut folder = Header::new_gnu();
        folder.set_entry_type(EntryType::Directory);
        folder.set_mode(0o1777);
        folder.set_size(0);
        layer.append_data(&mut folder, "tmp/", std::io::empty())?;
        add_file(&mut layer, file, self.program)?;
        for library in libraries(self.program)? {
            let inside = library.display().to_string();
            add_file(&mut layer, inside.trim_start_matches('/'), &library)?;
        }
        layer.into_inner().context("failed to end a layer")
    }
}

/// Shared libraries and the loader, as the loader finds them here; none for a static program.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let Ok(said) = run(Command::new("ldd").arg(program)) else {
        return Ok(Vec::new()); // "not a dynamic executable"
    };
    let path = |line: &str| {
        let word = line.split_whitespace().find(|word| word.starts_with('/'))?;
        Some(PathBuf::from(word))
    };
    Ok(said.lines().filter_map(path).collect())
}

fn add_file(archive: &mut Builder<Vec<u8>>, name: &str, path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    add(archive, name, 0o755, &bytes)
}

fn add<W: std::io::Write>(
    archive: &mut Builder<W>,
    name: &str,
    mode: u32,
    bytes: &[u8],
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    archive
        .append_data(&mut header, name, bytes)
        .with_context(|| format!("failed to add {name} to an archive"))
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
