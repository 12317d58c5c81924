//! `cargo xtask image`: the images of agent and controller, from the Dockerfile, as archives that container runtimes load.
//!
//! Tests and clusters on this machine take them from [`ready`].

mod arch;
mod archive;
mod builder;
mod material;
mod release;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::build::{self, Built};
use crate::machine::Machine;
use crate::offline::{self, Offline};
use crate::setup::{self, Need, cache};
use crate::workspace::Workspace;
use builder::{Build, Builder};
use material::Material;
use sources::Sources;

pub use arch::Arch;
pub use archive::Archive;
pub use release::{Release, release, version};
pub use sources::build_changed;

/// The needs of building without a network.
const NEEDS: [Need; 3] = [Need::Ebpf, Need::Images, Need::ImageBase];
/// The registry in which the tests' chart looks for images.
pub const LOCAL: &str = "localhost";

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask image                                  both, on the public Debian base
  cargo xtask image --target agent --builder podman
  cargo xtask image --arch arm64                     for another machine than this one
  cargo xtask image --base mirror.example/debian:12  the base from a mirror of your own
  cargo xtask image --offline --yes                  without registry and network: base and crates as the set-up made them")]
pub struct ImageArgs {
    /// Image to build; without any: both
    #[arg(long, value_enum)]
    target: Vec<Target>,
    /// Machine that the images are for; absent: this one
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Program that builds
    #[arg(long, value_enum, default_value_t = Builder::Buildah)]
    builder: Builder,
    /// Base of the compiling stages, a Debian 12; absent: the Dockerfile's
    #[arg(long, conflicts_with = "offline")]
    base: Option<String>,
    /// Use no network: with buildah, on a Debian tree, with crates and bpf-linker from this machine
    #[arg(long)]
    offline: bool,
    /// The registry that stands before the images' names
    #[arg(long, default_value = LOCAL)]
    registry: String,
    /// Their tag; absent: the version of this checkout
    #[arg(long)]
    tag: Option<String>,
    /// Folder for the archives; absent: target/images, with --arch its folder of that name
    #[arg(long)]
    output: Option<PathBuf>,
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
}

/// A stage of the Dockerfile that becomes an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// Runs on every node
    Agent,
    /// Runs once or twice in a cluster
    Controller,
}

impl Target {
    const ALL: [Self; 2] = [Self::Agent, Self::Controller];

    fn stage(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Controller => "controller",
        }
    }

    fn image(self) -> String {
        format!("netdiag-{}", self.stage())
    }
}

/// Builds images as the arguments say, and ends with a table of them.
pub fn image(workspace: &Workspace, args: &ImageArgs) -> Result<ExitCode> {
    if args.offline && args.builder != Builder::Buildah {
        bail!("--offline needs the builder buildah, which takes a folder as a base");
    }
    let material = if args.offline {
        let machine = Machine::look();
        let failure = "images cannot be built offline";
        setup::require(workspace, &machine, &NEEDS, args.yes, failure)?;
        if args.arch == Some(Arch::Arm64)
            && let Some(why) = offline::no_arm64(workspace)
        {
            bail!("images for arm64 cannot be built offline: {why}");
        }
        Material::Offline(Offline::of_this_machine(workspace)?)
    } else {
        Material::Public {
            base: args.base.clone(),
        }
    };
    let sources = Sources::read(workspace)?;
    let targets = if args.target.is_empty() {
        &Target::ALL[..]
    } else {
        &args.target
    };
    let folder = args.output.clone();
    let folder = folder.unwrap_or_else(|| {
        let images = workspace.target.join("images");
        images.join(args.arch.map_or("", Arch::name))
    });
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {folder:?}"))?;
    let build = Build {
        workspace,
        builder: args.builder,
        material: &material,
        sources: &sources,
        arch: args.arch,
        arguments: &[],
        registry: &args.registry,
        tag: args.tag.as_deref().unwrap_or(&sources.version),
    };
    let archives = build.archives(targets, &folder)?;
    println!("{}", table(&archives));
    Ok(ExitCode::SUCCESS)
}

/// Images that a suite starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The Dockerfile's last stages around agent and controller as the build of everything made them. Nothing is
    /// compiled twice.
    AroundBuild,
    /// The whole Dockerfile, as it is shipped.
    Whole,
    /// The whole Dockerfile for arm64, to be tried under emulation. The agent is not optimised, which saves more than
    /// half of the time that it takes to build.
    Arm64,
}

/// The images that [`ready`] found or made.
pub struct Ready {
    /// Holds the docker archives `netdiag-agent.tar` and `netdiag-controller.tar`; the end-to-end harness finds them
    /// here by `NETDIAG_IMAGES`. Their images are called `localhost/netdiag-agent` and `localhost/netdiag-controller`,
    /// with the workspace's version as the tag.
    pub folder: PathBuf,
    pub took: Duration,
    /// Nothing had to be built.
    pub fresh: bool,
}

/// The images of the present sources, built offline. What they need must have been set up.
pub fn ready(workspace: &Workspace, kind: Kind, built: &Built) -> Result<Ready> {
    match kind {
        Kind::AroundBuild => around(workspace, built),
        Kind::Whole => cached(workspace, "images", &Target::ALL, None, &[]),
        Kind::Arm64 => {
            let quick = ["PROFILE=dev", "PROGRAMS=netdiag-agent"];
            let arch = Some(Arch::Arm64);
            cached(workspace, "images-arm64", &[Target::Agent], arch, &quick)
        }
    }
}

/// Images of the programs in `built`, in the folder of this run.
fn around(workspace: &Workspace, built: &Built) -> Result<Ready> {
    let began = Instant::now();
    let folder = workspace.run_folder().join("images");
    let programs = folder.join("programs");
    let out = programs.join("out");
    fs::create_dir_all(&out).with_context(|| format!("failed to create {out:?}"))?;
    for program in Target::ALL.map(Target::image) {
        build::strip(
            workspace,
            built.required_binary(&program)?,
            &out.join(program),
        )?;
    }
    let sources = Sources::read(workspace)?;
    let build = Build {
        workspace,
        builder: Builder::Buildah,
        material: &Material::Programs(programs),
        sources: &sources,
        arch: None,
        arguments: &[],
        registry: LOCAL,
        tag: &sources.version,
    };
    build.archives(&Target::ALL, &folder)?;
    Ok(Ready {
        folder,
        took: began.elapsed(),
        fresh: false,
    })
}

/// Images from the cache, built if they are not in it yet.
fn cached(
    workspace: &Workspace,
    name: &str,
    targets: &[Target],
    arch: Option<Arch>,
    arguments: &[&str],
) -> Result<Ready> {
    let began = Instant::now();
    let sources = Sources::read(workspace)?;
    let material = Material::Offline(Offline::of_this_machine(workspace)?);
    let inputs = [sources.inputs(), material.inputs()].concat();
    let folder = cache::folder(workspace, name, &inputs);
    let is_complete = |folder: &Path| {
        targets
            .iter()
            .all(|target| archive_in(folder, *target).is_file())
    };
    let fresh = is_complete(&folder);
    if !fresh {
        let unfinished = cache::unfinished(&folder);
        fs::create_dir_all(&unfinished).context("failed to make a folder for images")?;
        let build = Build {
            workspace,
            builder: Builder::Buildah,
            material: &material,
            sources: &sources,
            arch,
            arguments,
            registry: LOCAL,
            tag: &sources.version,
        };
        build.archives(targets, &unfinished)?;
        cache::finish(&folder, is_complete)?;
    }
    Ok(Ready {
        folder,
        took: began.elapsed(),
        fresh,
    })
}

fn archive_in(folder: &Path, target: Target) -> PathBuf {
    folder.join(target.image()).with_extension("tar")
}

fn table(archives: &[Archive]) -> String {
    let longest = archives.iter().map(|archive| archive.name.len()).max();
    let width = longest.unwrap_or_default();
    let mut lines = vec![format!(
        "{:width$}  {:>8}  DIGEST OF ITS CONFIGURATION",
        "IMAGE", "MB"
    )];
    lines.extend(archives.iter().map(|archive| {
        let megabytes = archive.bytes as f64 / 1e6;
        format!(
            "{:width$}  {megabytes:8.1}  {}",
            archive.name, archive.digest
        )
    }));
    lines.extend(
        archives
            .iter()
            .map(|archive| archive.path.display().to_string()),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_image_its_size_and_digest() {
        let archive = Archive {
            name: "localhost/netdiag-agent:0.1.0".to_owned(),
            path: "/out/netdiag-agent.tar".into(),
            bytes: 12_345_678,
            digest: "sha256:abc".to_owned(),
        };
        let told = table(&[archive]);
        assert!(
            told.contains("localhost/netdiag-agent:0.1.0      12.3  sha256:abc"),
            "{told}"
        );
        assert!(told.ends_with("/out/netdiag-agent.tar"), "{told}");
    }
}
