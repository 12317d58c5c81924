use std::{
    error::Error,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::error::Category;

use super::{
    FORMAT, Layout, MAX_BYTES, Recording, VERSION,
    bounds::{self, Bounded},
};

/// The first bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("failed to read the recording {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Too large to be one.
    #[error("failed to read the recording {path:?}: it is larger than {MAX_BYTES} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not a recording of this program.
    #[error(
        "failed to read the recording {path:?}: it is no netdiag recording (write one with `netdiag-agent diagnose --record FILE`)"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "failed to read the recording {path:?}: it has version {version}, this program reads up to {VERSION}; replay it with a newer netdiag-agent"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// Cut off or damaged.
    #[error("failed to read the recording {path:?}: it is cut off or damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Well formed, but nothing that a node can show.
    #[error("failed to read the recording {path:?}: {what}")]
    Implausible {
        /// The file.
        path: PathBuf,
        /// The value that is out of bounds.
        what: String,
    },
}

/// The part of a recording that is read first, from files of any version.
#[derive(Deserialize)]
struct Prelude {
    format: String,
    version: u64,
}

/// Reads a recording, compressed by gzip or not.
///
/// # Errors
/// When it cannot be read, is not a recording, comes from a newer program, or is cut off or out of bounds.
pub fn read(path: &Path) -> Result<Recording, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut bytes = read_bounded(file, path)?;
    if bytes.starts_with(&GZIP) {
        bytes = decompress(&bytes, path)?;
    }
    parse(&bytes, path)
}

fn read_bounded(from: impl Read, path: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn decompress(bytes: &[u8], path: &Path) -> Result<Vec<u8>, ReadError> {
    read_bounded(GzDecoder::new(bytes), path).map_err(|error| match error {
        ReadError::Read { path, source } => ReadError::Damaged {
            path,
            source: source.into(),
        },
        other => other,
    })
}

pub(crate) fn parse(text: &[u8], path: &Path) -> Result<Recording, ReadError> {
    let path = || path.to_owned();
    let damaged = |source: serde_json::Error| ReadError::Damaged {
        path: path(),
        source: source.into(),
    };
    let prelude: Prelude = serde_json::from_slice(text).map_err(|error| {
        // A file that begins like a recording and then ends or breaks is a damaged one, anything else a foreign one.
        let begins_like_one = text.starts_with(format!("{{\"format\":\"{FORMAT}\"").as_bytes());
        match begins_like_one {
            true => damaged(error),
            false => ReadError::Foreign { path: path() },
        }
    })?;
    if prelude.format != FORMAT {
        return Err(ReadError::Foreign { path: path() });
    }
    if prelude.version > u64::from(VERSION) {
        return Err(ReadError::Newer {
            path: path(),
            version: prelude.version,
        });
    }
    // Before anything of it is kept.
    serde_json::from_slice::<Bounded>(text).map_err(|error| match error.classify() {
        Category::Data => ReadError::Implausible {
            path: path(),
            what: error.to_string(),
        },
        Category::Io | Category::Syntax | Category::Eof => damaged(error),
    })?;
    let Layout {
        header, evidence, ..
    } = serde_json::from_slice(text).map_err(damaged)?;
    match bounds::out_of_bounds(&evidence) {
        Some(what) => Err(ReadError::Implausible { path: path(), what }),
        None => Ok(Recording { header, evidence }),
    }
}
