use std::{error, io, sync::Arc};

use aya::maps::MapError;

use super::{
    btf,
    refusal::{KernelRefusal, refusal},
};

/// Why a probe does not read.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("this agent was built without its eBPF object")]
    NotBuilt,
    #[error("{reason}")]
    Unsupported { reason: String },
    #[error("failed to find in the kernel what the probe reads")]
    Layout { source: Arc<btf::Error> },
    #[error("failed to load eBPF: {why}")]
    NotPermitted { why: String },
    #[error("failed to load the probe: {reason}")]
    Refused { reason: String },
    #[error("failed to find the program, map or layout {name} in the eBPF object")]
    Inconsistent { name: &'static str },
    #[error("failed to access a map of the probe")]
    Map { source: Arc<MapError> },
    #[error("failed to read the iterator {program:?}")]
    Read {
        program: &'static str,
        source: Arc<io::Error>,
    },
}

impl Error {
    /// The message of the kernel when it refused a program or a map.
    pub(crate) fn refused(source: &(dyn error::Error + 'static)) -> Self {
        match refusal(source) {
            KernelRefusal::NotPermitted { why } => Self::NotPermitted { why },
            KernelRefusal::Refused { reason } => Self::Refused { reason },
        }
    }
}

impl From<MapError> for Error {
    fn from(source: MapError) -> Self {
        Self::Map {
            source: Arc::new(source),
        }
    }
}
