//! Reasons why BTF cannot be read.

use std::{io, path::PathBuf};

/// The reason for which the layout of a structure is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "failed to find type information at {path:?}: the kernel was built without CONFIG_DEBUG_INFO_BTF"
    )]
    Missing { path: PathBuf },
    #[error("failed to read the kernel's type information at {path:?}")]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to parse the kernel's type information at {path:?}")]
    Parse {
        path: PathBuf,
        source: btf_rs::Error,
    },
    #[error("failed to find {structure}.{path} in the kernel's type information")]
    NoMember { structure: String, path: String },
}

impl Error {
    pub(in crate::probes) fn no_member(structure: &str, path: &str) -> Self {
        Self::NoMember {
            structure: structure.to_owned(),
            path: path.to_owned(),
        }
    }
}
