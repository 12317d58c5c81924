//! The material of images beside their sources: a base, crates, a linker.

use std::path::PathBuf;

use crate::offline::Offline;

/// The material that the Dockerfile starts from.
pub enum Material {
    /// A base from a registry, crates from crates.io.
    Public {
        /// Instead of the Dockerfile's own.
        base: Option<String>,
    },
    /// Programs that were built before, below `out` in this folder: only the last stages are built.
    Programs(PathBuf),
    /// The material that the set-up put on this machine, without a network.
    Offline(Offline),
}

impl Material {
    /// The inputs that tell one material from another.
    pub fn inputs(&self) -> Vec<String> {
        match self {
            Self::Public { base } => base.iter().cloned().collect(),
            Self::Programs(_) => Vec::new(),
            Self::Offline(offline) => vec![offline.base.name.clone()],
        }
    }

    /// The command that builds without a network where nothing may come from one; what buildah mounts goes with it,
    /// however it ends.
    pub fn inside(&self) -> &'static [&'static str] {
        match self {
            Self::Public { .. } => &[],
            Self::Programs(_) | Self::Offline(_) => &["unshare", "--net", "--mount"],
        }
    }

    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Public { base: None } => Vec::new(),
            Self::Public { base: Some(base) } => vec![format!("--build-arg=BUILD_BASE={base}")],
            Self::Programs(folder) => vec![format!("--build-context=build={}", folder.display())],
            Self::Offline(offline) => offline.arguments(),
        }
    }
}
