//! What images are built from beside their sources: a base, crates, a linker.

use std::path::PathBuf;

use anyhow::Result;

use crate::setup::{Base, image_base, image_crates, image_linker};
use crate::workspace::Workspace;

/// What the Dockerfile starts from.
pub enum Material {
    /// A base from a registry, crates from crates.io.
    Public {
        /// Instead of the Dockerfile's own.
        base: Option<String>,
    },
    /// Programs that were built before, below `out` in this folder: only the last stages are built.
    Programs(PathBuf),
    /// What the set-up put on this machine, without a network.
    Local {
        base: Base,
        crates: PathBuf,
        linker: PathBuf,
    },
}

impl Material {
    /// What the set-up made.
    pub fn of_this_machine(workspace: &Workspace) -> Result<Self> {
        Ok(Self::Local {
            base: image_base(workspace)?,
            crates: image_crates(workspace)?,
            linker: image_linker()?,
        })
    }

    /// What tells one from another.
    pub fn inputs(&self) -> Vec<String> {
        match self {
            Self::Public { base } => base.iter().cloned().collect(),
            Self::Programs(_) => Vec::new(),
            Self::Local { base, .. } => vec![base.name.clone()],
        }
    }

    /// Where nothing may come from a network, there is none; and what buildah mounts goes with it, however it ends.
    pub fn inside(&self) -> &'static [&'static str] {
        match self {
            Self::Public { .. } => &[],
            Self::Programs(_) | Self::Local { .. } => &["unshare", "--net", "--mount"],
        }
    }

    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Public { base: None } => Vec::new(),
            Self::Public { base: Some(base) } => vec![format!("--build-arg=BUILD_BASE={base}")],
            Self::Programs(folder) => vec![format!("--build-context=build={}", folder.display())],
            Self::Local {
                base,
                crates,
                linker,
            } => vec![
                format!("--build-arg=BUILD_BASE={}", base.name),
                format!("--build-context=crates={}", crates.display()),
                format!("--build-context=linker={}", linker.display()),
            ],
        }
    }
}
