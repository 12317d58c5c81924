//! The images of a release: built offline, for one architecture after the other.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::archive::Archive;
use super::builder::{Build, Builder};
use super::material::Material;
use super::sources::Sources;
use super::{Arch, Target};
use crate::offline::{Base, Offline};
use crate::workspace::Workspace;

/// The sources and the material of a release.
pub struct Release {
    sources: Sources,
    material: Material,
    base: Base,
    registry: String,
}

/// Reads both. What they need must have been set up.
pub fn release(workspace: &Workspace, registry: &str) -> Result<Release> {
    let offline = Offline::of_this_machine(workspace)?;
    Ok(Release {
        sources: Sources::read(workspace)?,
        base: offline.base.clone(),
        material: Material::Offline(offline),
        registry: registry.to_owned(),
    })
}

/// The workspace's version.
pub fn version(workspace: &Workspace) -> Result<String> {
    Ok(Sources::read(workspace)?.version)
}

impl Release {
    /// The workspace's version.
    pub fn version(&self) -> &str {
        &self.sources.version
    }

    /// The last commit that changed what images are built from.
    pub fn revision(&self) -> &str {
        &self.sources.revision
    }

    /// Its time, as RFC 3339 has it.
    pub fn created(&self) -> &str {
        &self.sources.created
    }

    /// The registry in the images' names.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The Debian tree that they are compiled on.
    pub fn base(&self) -> &Path {
        &self.base.tree
    }

    /// The images of agent and controller for an architecture, in the folder of this run.
    pub fn archives(&self, workspace: &Workspace, arch: Arch) -> Result<Vec<Archive>> {
        let folder = workspace.run_folder().join(arch.name());
        fs::create_dir_all(&folder).with_context(|| format!("failed to create {folder:?}"))?;
        let build = Build {
            workspace,
            builder: Builder::Buildah,
            material: &self.material,
            sources: &self.sources,
            arch: Some(arch),
            arguments: &[],
            registry: &self.registry,
            tag: &self.sources.version,
        };
        build.archives(&Target::ALL, &folder)
    }
}
