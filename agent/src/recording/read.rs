use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use netdiag_diagnosis::EvidenceWindow;
use serde::Deserialize;

use super::{FORMAT, MAX_BYTES, Recording, VERSION};

/// Longest list in the evidence; a real node stays far below, and some detectors compare each entry with each.
const MAX_ENTRIES: usize = 20_000;
/// Largest event count. Sums of [`MAX_ENTRIES`] such counts still fit 64 bits.
const MAX_COUNT: u64 = 1 << 48;

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
        /// Where and how.
        source: serde_json::Error,
    },
    /// Well formed, but nothing that a node can show.
    #[error("failed to read the recording {path:?}: {what}")]
    Implausible {
        /// The file.
        path: PathBuf,
        /// What is out of bounds.
        what: String,
    },
}

/// What is read first, from files of any version.
#[derive(Deserialize)]
struct Prelude {
    format: String,
    version: u64,
}

/// Reads a recording.
///
/// # Errors
/// When it cannot be read, is not a recording, comes from a newer program, or is cut off or out of bounds.
pub fn read(path: &Path) -> Result<EvidenceWindow, ReadError> {
    let text = read_bounded(path)?;
    parse(&text, path)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() > MAX_BYTES {
        return Err(ReadError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

fn parse(text: &[u8], path: &Path) -> Result<EvidenceWindow, ReadError> {
    let damaged = |source| ReadError::Damaged {
        path: path.to_owned(),
        source,
    };
    let prelude: Prelude = serde_json::from_slice(text).map_err(|error| {
        // A file that begins like a recording and then ends or breaks is a damaged one, anything else a foreign one.
        let begins_like_one = text.starts_with(format!("{{\"format\":\"{FORMAT}\"").as_bytes());
        if begins_like_one {
            damaged(error)
        } else {
            ReadError::Foreign {
                path: path.to_owned(),
            }
        }
    })?;
    if prelude.format != FORMAT {
        return Err(ReadError::Foreign {
            path: path.to_owned(),
        });
    }
    if prelude.version > u64::from(VERSION) {
        return Err(ReadError::Newer {
            path: path.to_owned(),
            version: prelude.version,
        });
    }
    let recording: Recording<EvidenceWindow> = serde_json::from_slice(text).map_err(damaged)?;
    match out_of_bounds(&recording.evidence) {
        Some(what) => Err(ReadError::Implausible {
            path: path.to_owned(),
            what,
        }),
        None => Ok(recording.evidence),
    }
}

/// What would make a detector slow or its sums overflow.
fn out_of_bounds(window: &EvidenceWindow) -> Option<String> {
    let drops = window.drops.value();
    let lengths = [
        ("namespaces", window.namespaces.len()),
        ("links", window.links.value().map_or(0, Vec::len)),
        ("drop keys", drops.map_or(0, |drops| drops.counts.len())),
        (
            "packet samples",
            drops.map_or(0, |drops| drops.samples.len()),
        ),
        (
            "packet sockets",
            window.packet_sockets.value().map_or(0, Vec::len),
        ),
        (
            "TUN holders",
            window.tun_holders.value().map_or(0, Vec::len),
        ),
        (
            "CPUs",
            window.softnet.value().map_or(0, |all| all.cpus.len()),
        ),
        (
            "kernel log lines",
            window.kernel_log.value().map_or(0, Vec::len),
        ),
    ];
    if let Some((what, length)) = lengths.iter().find(|(_, length)| *length > MAX_ENTRIES) {
        return Some(format!(
            "it has {length} {what}, at most {MAX_ENTRIES} are read"
        ));
    }
    let too_many = |count: &u64| *count > MAX_COUNT;
    drops
        .into_iter()
        .flat_map(|drops| &drops.counts)
        .flat_map(|key| [key.count, key.at_least])
        .find(too_many)
        .map(|count| format!("{count} drops of one kind are more than a kernel counts"))
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::{DropCount, Drops, Observed};

    use super::*;
    use crate::recording::{Header, write};

    fn window() -> EvidenceWindow {
        let mut window = EvidenceWindow::default();
        window.node.name = "node-17".to_owned();
        window.node.kernel = "6.1.0-56-cloud-amd64".to_owned();
        window.duration_ms = 35_000;
        window.drops = Observed::Complete {
            value: Drops {
                counts: vec![DropCount {
                    count: 3,
                    ..DropCount::default()
                }],
                ..Drops::default()
            },
        };
        window
    }

    fn encoded(evidence: EvidenceWindow) -> Vec<u8> {
        serde_json::to_vec(&Recording {
            format: FORMAT.to_owned(),
            version: VERSION,
            header: Header::of(&evidence),
            evidence,
        })
        .unwrap()
    }

    fn error_of(text: &[u8]) -> String {
        parse(text, Path::new("r.json")).unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = std::env::temp_dir().join(format!("netdiag-recording-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("r.json");
        write(&path, &window()).unwrap();
        // A second run replaces the first.
        write(&path, &window()).unwrap();
        let entries = std::fs::read_dir(&folder).unwrap().count();
        let read = read(&path);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read.unwrap(), window());
        assert_eq!(entries, 1);
    }

    #[test]
    fn other_files_are_told_apart_from_damaged_ones() {
        let whole = encoded(window());
        for end in [FORMAT.len() + 15, whole.len() / 2, whole.len() - 1] {
            let error = error_of(&whole[..end]);
            assert!(error.contains("cut off or damaged"), "{error}");
        }
        for foreign in [
            &b""[..],
            b"[]",
            b"\x7fELF",
            b"{\"kind\":\"NodeNetReport\"}",
            b"{\"format\":\"other\",\"version\":1}",
        ] {
            let error = error_of(foreign);
            assert!(error.contains("no netdiag recording"), "{error}");
        }
    }

    #[test]
    fn a_newer_version_is_named_even_when_its_evidence_looks_different() {
        let error = error_of(br#"{"format":"netdiag-recording","version":2,"evidence":[1]}"#);
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn deep_nesting_and_endless_lists_are_refused() {
        let deep = format!(
            "{{\"format\":\"{FORMAT}\",\"version\":1,\"evidence\":{}",
            "[".repeat(500_000)
        );
        assert!(error_of(deep.as_bytes()).contains("cut off or damaged"));

        let mut long = window();
        long.drops = Observed::Complete {
            value: Drops {
                counts: vec![DropCount::default(); MAX_ENTRIES + 1],
                ..Drops::default()
            },
        };
        assert!(error_of(&encoded(long)).contains("20001 drop keys"));

        let mut many = window();
        if let Observed::Complete { value } = &mut many.drops {
            value.counts[0].at_least = u64::MAX;
        }
        assert!(error_of(&encoded(many)).contains("more than a kernel counts"));
    }
}
