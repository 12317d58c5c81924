//! The evidence of one window as a file, so that the same findings can be had on any machine.
//!
//! A recording is read as hostile: it comes by mail or ticket. Its size, depth, the length of its lists and texts, and
//! its counts are bounded before a detector sees it.

mod bounds;
mod kernel_types;
mod read;
mod scenario;
mod write;

#[cfg(test)]
mod first_sentences;
#[cfg(test)]
mod harmless_remedies;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod testdata;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod without_samples;

#[cfg(feature = "fuzzing")]
pub(crate) use read::parse;
pub use read::{ReadError, read};
pub use scenario::{ExpectedFinding, Scenario};
pub use write::{WriteError, check_writable, write};

use std::io;

use netdiag_diagnosis::EvidenceWindow;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// The name of the format in the file.
const FORMAT: &str = "netdiag-recording";
/// Goes up when an older reader would misread a newer file.
const VERSION: u32 = 1;
/// Largest recording that is read or written, in bytes before compression. A busy node with 1,000 links gives about
/// 2 MB.
const MAX_BYTES: usize = 64 << 20;

/// One window with its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The origin of the evidence.
    pub header: Header,
    /// The evidence of the window.
    pub evidence: EvidenceWindow,
}

/// The origin of the evidence, for a person who opens the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The node's name.
    pub node: String,
    /// `uname -r`.
    pub kernel: String,
    /// Machine architecture as `uname -m` gives it.
    pub architecture: String,
    /// Name and version of the program that wrote it.
    pub recorded_by: String,
    /// SHA-256 of the kernel's type information (`sha256sum /sys/kernel/btf/vmlinux`): two kernels of one release may
    /// differ. Absent where the kernel has none, and in recordings of older agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub btf_sha256: Option<String>,
    /// Addresses and names were replaced.
    #[serde(default)]
    pub anonymised: bool,
    /// The fault that was made, in recordings of the project's own scenarios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Scenario>,
}

/// The file's layout.
#[derive(Debug, Serialize, Deserialize)]
struct Layout<Header, Evidence> {
    format: String,
    version: u32,
    header: Header,
    evidence: Evidence,
}

impl Recording {
    /// A recording of a window on the running kernel.
    pub fn of(evidence: EvidenceWindow) -> Self {
        let header = Header {
            node: evidence.node.name.clone(),
            kernel: evidence.node.kernel.clone(),
            architecture: evidence.node.architecture.clone(),
            recorded_by: recorder(),
            btf_sha256: kernel_types::sha256(),
            anonymised: false,
            scenario: None,
        };
        Self { header, evidence }
    }

    /// The same with addresses and names replaced, so that it can be shown to others. It gives the same findings, up to
    /// the names in them. The seed is that of [`random_seed`], and is kept nowhere.
    pub fn anonymised(self, seed: u128) -> Self {
        let evidence = netdiag_diagnosis::anonymise(&self.evidence, seed);
        Self {
            header: Header {
                node: evidence.node.name.clone(),
                kernel: evidence.node.kernel.clone(),
                architecture: evidence.node.architecture.clone(),
                recorded_by: recorder(),
                btf_sha256: None,
                anonymised: true,
                scenario: None,
            },
            evidence,
        }
    }
}

fn recorder() -> String {
    format!("netdiag-agent {}", env!("CARGO_PKG_VERSION"))
}

/// A number of the system's random source (getrandom(2)), for [`Recording::anonymised`].
///
/// # Errors
/// `ENOSYS` where a filter forbids the call.
pub fn random_seed() -> io::Result<u128> {
    let mut seed = [0; size_of::<u128>()];
    // Up to 256 bytes come at once or not at all.
    let length = getrandom(&mut seed, GetRandomFlags::empty())?;
    if length < seed.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(u128::from_ne_bytes(seed))
}
