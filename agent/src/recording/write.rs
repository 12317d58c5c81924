use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use netdiag_diagnosis::EvidenceWindow;

use super::{FORMAT, Header, MAX_BYTES, Recording, VERSION};

/// Why a recording could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("failed to write the recording to {path:?}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// No reader would take it.
    #[error("failed to record {bytes} bytes of evidence, a recording holds at most {MAX_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The evidence has no JSON form.
    #[error("failed to encode the evidence")]
    Encode {
        /// The encoder's word.
        source: serde_json::Error,
    },
}

/// Writes a window's evidence. The file appears whole or not at all, readable by its owner alone, since samples hold
/// parts of packets.
///
/// # Errors
/// When the file cannot be written or the evidence is too large.
pub fn write(path: &Path, window: &EvidenceWindow) -> Result<(), WriteError> {
    let recording = Recording {
        format: FORMAT.to_owned(),
        version: VERSION,
        header: Header::of(window),
        evidence: window,
    };
    let text = serde_json::to_vec(&recording).map_err(|source| WriteError::Encode { source })?;
    if text.len() > MAX_BYTES {
        return Err(WriteError::TooLarge { bytes: text.len() });
    }
    replace(path, &text).map_err(|source| WriteError::Write {
        path: path.to_owned(),
        source,
    })
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // A pipe or /dev/stdout: nothing to replace.
        return File::create(path)?.write_all(text);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error tells more than a failure to clean up after it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    file.sync_all()
}
