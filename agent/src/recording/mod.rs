//! The evidence of one window as a file, so that the same findings can be had on any machine.
//!
//! A recording is read as hostile: it comes by mail or ticket. Its size, depth and the length of its lists are
//! bounded before a detector sees it.

mod read;
mod write;

pub use read::{ReadError, read};
pub use write::{WriteError, write};

use netdiag_diagnosis::EvidenceWindow;
use serde::{Deserialize, Serialize};

/// What the file says it is.
const FORMAT: &str = "netdiag-recording";
/// Goes up when an older reader would misread a newer file.
const VERSION: u32 = 1;
/// Largest file that is read or written, in bytes. A busy node with 1,000 links gives about 2 MB.
const MAX_BYTES: usize = 64 << 20;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Recording<Evidence> {
    format: String,
    version: u32,
    header: Header,
    evidence: Evidence,
}

/// Whence the evidence comes, for a person who opens the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    node: String,
    kernel: String,
    architecture: String,
    /// Version of the agent that wrote it.
    recorded_by: String,
}

impl Header {
    fn of(window: &EvidenceWindow) -> Self {
        Self {
            node: window.node.name.clone(),
            kernel: window.node.kernel.clone(),
            architecture: window.node.architecture.clone(),
            recorded_by: format!("netdiag-agent {}", env!("CARGO_PKG_VERSION")),
        }
    }
}
