//! The programs of a release: the files in its images.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::checksums;
use super::packages;
use super::sbom::{self, Subject};
use super::tree::Tree;
use crate::image::{Arch, Archive, Release};
use crate::job::run_quietly;
use crate::machine::output_of;
use crate::workspace::Workspace;

/// The eBPF programs, which are in the agent as bytes.
const EBPF: (&str, &str) = ("netdiag-ebpf", "bpfel-unknown-none");
const AGENT: &str = "netdiag-agent";
/// The programs, as their images are called.
pub const NAMES: [&str; 2] = [AGENT, "netdiag-controller"];

/// A program in the folder of the release.
pub struct Program {
    /// `netdiag-agent` or `netdiag-controller`.
    name: String,
    arch: Arch,
    version: String,
    path: PathBuf,
}

impl Program {
    /// Puts an image's archive into the folder, and its program beside it.
    pub fn unpack(
        workspace: &Workspace,
        archive: &Archive,
        arch: Arch,
        version: &str,
        folder: &Path,
    ) -> Result<Self> {
        let name = archive.path.file_stem().context("an archive has a name")?;
        let name = name.to_string_lossy().into_owned();
        let image = folder.join(format!("{name}-{version}-image-{}.tar", arch.name()));
        fs::copy(&archive.path, &image).context("failed to copy an image")?;
        let program = Self {
            path: folder.join(format!("{name}-{version}-linux-{}", arch.name())),
            name,
            arch,
            version: version.to_owned(),
        };
        program.take_from(workspace, &image)?;
        Ok(program)
    }

    /// The image has layers, and the last of them the program.
    fn take_from(&self, workspace: &Workspace, image: &Path) -> Result<()> {
        let unpacked = workspace.run_folder().join(&self.name);
        // Of the architecture before.
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked).context("failed to remove an unpacked image")?;
        }
        let layers = unpacked.join("layers");
        fs::create_dir_all(&layers).context("failed to unpack an image")?;
        let tar = |file: &Path, to: &Path| {
            let mut tar = workspace.command("tar");
            tar.arg("--extract").arg("--file").arg(file);
            run_quietly(tar.arg("--directory").arg(to))
        };
        tar(image, &layers)?;
        let mut find = workspace.command("find");
        let names = output_of(find.arg(&layers).args(["-name", "*.tar"]));
        for layer in names.unwrap_or_default().lines() {
            tar(Path::new(layer), &unpacked)?;
        }
        let program = unpacked.join(&self.name);
        fs::copy(&program, &self.path).with_context(|| format!("no {} in its image", self.name))?;
        fs::set_permissions(&self.path, Permissions::from_mode(0o755))
            .context("failed to make a program executable")
    }

    /// The name of the file that [`Self::sbom`] belongs into.
    pub fn sbom_file(&self) -> String {
        let (name, version) = (&self.name, &self.version);
        format!("{name}-{version}-linux-{}.cdx.json", self.arch.name())
    }

    /// The components that are compiled into it.
    pub fn sbom(&self, workspace: &Workspace, release: &Release) -> Result<String> {
        let mut tree = Tree::default();
        let root = tree.add(workspace, &self.name, self.arch.rust_target())?;
        if self.name == AGENT {
            let (package, target) = EBPF;
            let ebpf = tree.add(workspace, package, target)?;
            tree.uses.entry(root.clone()).or_default().insert(ebpf);
        }
        let subject = Subject {
            root,
            architecture: self.arch.name(),
            sha256: checksums::of(workspace, &self.path)?,
            created: release.created().to_owned(),
            revision: release.revision().to_owned(),
            packages: packages::linked(release.base(), self.arch.name())?,
        };
        sbom::text(&tree, &subject)
    }
}
