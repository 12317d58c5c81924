use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use super::{FORMAT, Layout, MAX_BYTES, Recording, VERSION};

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

/// Fails where [`write`] would, so that nobody watches for an hour and then learns that the folder is not there.
///
/// # Errors
/// When no file can be made there.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    let check = || match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // A pipe or /dev/stdout; opening it may wait for its reader.
        Ok(found) if !found.is_file() => Ok(()),
        _ => {
            let temporary = temporary(path);
            create(&temporary)?;
            fs::remove_file(&temporary)
        }
    };
    check().map_err(|source| WriteError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Writes a recording, compressed when the file's name ends with `.gz`. The file appears whole or not at all, readable
/// only by its owner, because samples hold parts of packets.
///
/// # Errors
/// When the file cannot be written or the evidence is too large.
pub fn write(path: &Path, recording: &Recording) -> Result<(), WriteError> {
    let failed = |source| WriteError::Write {
        path: path.to_owned(),
        source,
    };
    let layout = Layout {
        format: FORMAT.to_owned(),
        version: VERSION,
        header: &recording.header,
        evidence: &recording.evidence,
    };
    let mut bytes = serde_json::to_vec(&layout).map_err(|source| WriteError::Encode { source })?;
    bytes.push(b'\n');
    if bytes.len() > MAX_BYTES {
        return Err(WriteError::TooLarge { bytes: bytes.len() });
    }
    if path.extension().is_some_and(|ending| ending == "gz") {
        bytes = compress(&bytes).map_err(failed)?;
    }
    replace(path, &bytes).map_err(failed)
}

/// Without a time or a name in its header, so that the same evidence gives the same bytes.
fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // A pipe or /dev/stdout: nothing to replace.
        return File::create(path)?.write_all(bytes);
    }
    let temporary = temporary(path);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error tells more than a failure to clean up after it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
