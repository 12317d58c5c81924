//! `cargo xtask dist`: all that a release page holds, in one folder.
//!
//! Everything is made from the images, which are built without a network: the programs of the page are the files in
//! them. The same sources on the same base give the same bytes.

mod archive;
mod chart;
mod checksums;
mod commits;
mod notes;
mod packages;
mod programs;
mod publish;
mod sbom;
mod tree;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::image::{self, Arch, Archive, Release};
use crate::machine::Machine;
use crate::offline;
use crate::setup::{self, Need};
use crate::suites::Suite;
use crate::workspace::Workspace;
use programs::Program;

pub use publish::{PublishArgs, publish};

/// The needs beside those of images: helm renders the manifest.
const NEEDS: [Need; 4] = [
    Need::Ebpf,
    Need::Images,
    Need::ImageBase,
    Need::ControlPlane,
];

/// A first diagnosis, and the capabilities for `kubectl debug`.
const EXAMPLES: [&str; 2] = ["examples/diagnosis.yaml", "docs/debug-capabilities.json"];

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask dist --yes                                 everything, for both architectures, into target/dist
  cargo xtask dist --arch amd64 --try                    for this machine, and install it from the folder as a test
  cargo xtask dist --registry registry.example.com/x     names of images in the manifest and in the archives
  cargo xtask dist --against OTHER                       fail if a file differs from that of another run")]
pub struct DistArgs {
    /// Machine to build for; without any: both
    #[arg(long, value_enum)]
    arch: Vec<Arch>,
    /// The registry that the manifest and the archives name
    #[arg(long, default_value = image::LOCAL)]
    registry: String,
    /// Folder to write; absent: target/dist
    #[arg(long)]
    output: Option<PathBuf>,
    /// Folder of an earlier run, which must have the same bytes
    #[arg(long, value_name = "FOLDER")]
    against: Option<PathBuf>,
    /// Install on a cluster of a real node from the folder and nothing else
    #[arg(long = "try")]
    tried: bool,
    /// Try the folder of an earlier run, and make nothing
    #[arg(long, requires = "tried")]
    made: bool,
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
}

/// Makes the folder, and ends with a table of its files.
pub fn dist(workspace: &Workspace, args: &DistArgs) -> Result<ExitCode> {
    let machine = Machine::look();
    let needs = match args.tried {
        true => [&NEEDS[..], Suite::Cluster.needs()].concat(),
        false => NEEDS.to_vec(),
    };
    setup::require(
        workspace,
        &machine,
        &needs,
        args.yes,
        "no release can be made",
    )?;
    let folder = args.output.clone();
    let folder = folder.unwrap_or_else(|| workspace.target.join("dist"));
    if args.made {
        trial::try_it(workspace, &folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let both = [Arch::Amd64, Arch::Arm64];
    let arches = match args.arch.is_empty() {
        true => &both[..],
        false => &args.arch,
    };
    if arches.contains(&Arch::Arm64)
        && let Some(why) = offline::no_arm64(workspace)
    {
        bail!("nothing can be built for arm64: {why}");
    }
    let release = image::release(workspace, &args.registry)?;
    begin(&folder)?;
    make(workspace, &release, arches, &folder)?;
    println!("{}", checksums::table(&folder)?);
    if let Some(other) = &args.against {
        let differing = checksums::differing(&folder, other)?;
        if !differing.is_empty() {
            bail!(
                "other bytes than in {}: {}",
                other.display(),
                differing.join(", ")
            );
        }
        println!("The same bytes as in {}.", other.display());
    }
    if args.tried {
        trial::try_it(workspace, &folder)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An empty folder. Only one that an earlier run made is emptied.
fn begin(folder: &Path) -> Result<()> {
    if folder.exists() {
        let files = fs::read_dir(folder).with_context(|| format!("failed to read {folder:?}"))?;
        if files.count() > 0 && !folder.join(checksums::FILE).is_file() {
            bail!("{} is not empty, and no release", folder.display());
        }
        fs::remove_dir_all(folder).with_context(|| format!("failed to remove {folder:?}"))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("failed to create {folder:?}"))
}

fn make(workspace: &Workspace, release: &Release, arches: &[Arch], folder: &Path) -> Result<()> {
    let version = release.version();
    for arch in arches {
        for archive in release.archives(workspace, *arch)? {
            let program = Program::unpack(workspace, &archive, *arch, version, folder)?;
            let sbom = program.sbom(workspace, release)?;
            write(folder, &program.sbom_file(), &sbom)?;
        }
    }
    write(folder, "RELEASE-NOTES.md", &notes::of(workspace, version)?)?;
    finish(workspace, version, release.registry(), folder)
}

/// A folder like that of a release, around images of this machine that are there: what people do with a release can be
/// tried on it. It has no lists of components, because a quick build is linked with other packages, and no notes.
pub fn around(workspace: &Workspace, images: &Path) -> Result<PathBuf> {
    let folder = workspace.run_folder().join("release");
    begin(&folder)?;
    let version = image::version(workspace)?;
    for name in programs::NAMES {
        let path = images.join(name).with_extension("tar");
        let archive = Archive::read(workspace, name.to_owned(), path)?;
        Program::unpack(workspace, &archive, Arch::HERE, &version, &folder)?;
    }
    finish(workspace, &version, image::LOCAL, &folder)?;
    Ok(folder)
}

/// Adds all that is the same for every architecture, and the checksums.
fn finish(workspace: &Workspace, version: &str, registry: &str, folder: &Path) -> Result<()> {
    let archive = chart::archive(workspace, version, folder)?;
    let manifest = chart::manifest(workspace, &archive, registry)?;
    write(folder, "install.yaml", &manifest)?;
    for path in EXAMPLES {
        let from = workspace.root.join(path);
        let name = from.file_name().unwrap_or_default();
        fs::copy(&from, folder.join(name)).with_context(|| format!("failed to copy {path}"))?;
    }
    checksums::write(workspace, folder)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_of_an_earlier_run_is_emptied() {
        let folder = std::env::temp_dir().join(format!("netdiag-dist-{}", std::process::id()));
        begin(&folder).unwrap();
        fs::write(folder.join("precious"), "").unwrap();
        let refused = begin(&folder).unwrap_err().to_string();
        assert!(
            refused.ends_with("is not empty, and no release"),
            "{refused}"
        );
        fs::write(folder.join(checksums::FILE), "").unwrap();
        begin(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(folder).unwrap();
    }
}
