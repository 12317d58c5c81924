//! The commands that build images, by program.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::arch::{self, Arch};
use super::archive::Archive;
use super::material::Material;
use super::sources::Sources;
use super::{Target, archive_in};
use crate::job::{self, Job};
use crate::machine::output_of;
use crate::offline::Base;
use crate::workspace::Workspace;

/// All crates and both programs take 12 minutes on two busy cores.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Layers of one state of the sources, for both architectures, take about 7 GB.
const MOST_LAYERS_MIB: u64 = 14 * 1024;

/// While another build has its turn.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A program that builds from Dockerfiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Builder {
    /// Needs no daemon; keeps its layers in netdiag's cache
    Buildah,
    Podman,
    Docker,
}

/// Images to build.
pub struct Build<'a> {
    pub workspace: &'a Workspace,
    pub builder: Builder,
    pub material: &'a Material,
    pub sources: &'a Sources,
    /// The architecture that the images are for; absent: this machine's.
    pub arch: Option<Arch>,
    /// Further arguments of the Dockerfile, such as `PROFILE=dev`.
    pub arguments: &'a [&'a str],
    pub registry: &'a str,
    pub tag: &'a str,
}

impl Build<'_> {
    /// Builds the targets and writes their archives into a folder.
    pub fn archives(&self, targets: &[Target], folder: &Path) -> Result<Vec<Archive>> {
        let _turn = self.wait_for_turn()?;
        let program = self.program()?;
        if self.builder == Builder::Buildah {
            self.clear(&program)?;
        }
        if let Material::Offline(offline) = self.material {
            self.import(&program, &offline.base)?;
        }
        let archive = |target: &Target| {
            let name = format!("{}/{}:{}", self.registry, target.image(), self.tag);
            let path = archive_in(folder, *target);
            self.run(
                &format!("image {}", target.stage()),
                self.build(&program, *target, &name),
            )?;
            if path.exists() {
                fs::remove_file(&path)
                    .with_context(|| format!("failed to replace {}", path.display()))?;
            }
            self.run("image archive", self.save(&program, &name, &path))?;
            Archive::read(self.workspace, name, path)
        };
        targets.iter().map(archive).collect()
    }

    /// A second builder of the same would compile all of it too; afterwards it finds the layers.
    fn wait_for_turn(&self) -> Result<File> {
        fs::create_dir_all(&self.workspace.cache).context("failed to create the cache")?;
        let path = self.workspace.cache.join("image.lock");
        let turn = File::create(&path);
        let turn = turn.with_context(|| format!("failed to create {}", path.display()))?;
        let mut told = false;
        while let Err(error) = turn.try_lock() {
            if let TryLockError::Error(error) = error {
                return Err(error).context("failed to wait for another build");
            }
            if !told {
                eprintln!("waiting for another build of images ..");
                told = true;
            }
            job::check_interrupted()?;
            thread::sleep(LOOK_AGAIN);
        }
        Ok(turn)
    }

    fn build(&self, program: &Program, target: Target, name: &str) -> Command {
        let mut build = program.command(self.workspace, &["build"]);
        // All times in an image are 0, so that the same sources always give the same image.
        match self.builder {
            // Its layers are found again, and it needs no right to make containers.
            Builder::Buildah => {
                build.args(["--layers", "--isolation=chroot", "--timestamp=0"]);
                // Its own version in a label would be all that differs between two of them.
                build.arg("--identity-label=false")
            }
            Builder::Podman => build.arg("--timestamp=0"),
            Builder::Docker => build.arg("--build-arg=SOURCE_DATE_EPOCH=0"),
        };
        if let Some(arch) = self.arch {
            build.arg(format!("--platform=linux/{}", arch.name()));
        }
        if self.builder != Builder::Docker {
            // docker knows it by itself, and so does a newer buildah.
            build.arg(format!("--build-arg=BUILDPLATFORM={}", arch::HERE));
        }
        build.args(self.material.arguments());
        for argument in self.arguments {
            build.arg(format!("--build-arg={argument}"));
        }
        for (label, value) in self.sources.labels() {
            build.arg(format!("--label=org.opencontainers.image.{label}={value}"));
        }
        match self.builder {
            Builder::Buildah => build.arg(format!("--build-arg=PROGRAM={}", target.stage())),
            Builder::Podman | Builder::Docker => build.args(["--target", target.stage()]),
        };
        build.args(["--tag", name, "--file", "Dockerfile", "."]);
        build
    }

    fn save(&self, program: &Program, name: &str, path: &Path) -> Command {
        let mut save = program.command(self.workspace, &[]);
        match self.builder {
            Builder::Buildah => save
                .args(["push", name])
                .arg(format!("docker-archive:{}:{name}", path.display())),
            Builder::Podman => save
                .args(["save", "--format=docker-archive", "--output"])
                .arg(path)
                .arg(name),
            Builder::Docker => save.args(["save", "--output"]).arg(path).arg(name),
        };
        save
    }

    /// Removes what an interrupted build left, and all layers when they are many: nobody tells which are still of use.
    fn clear(&self, program: &Program) -> Result<()> {
        let buildah = |arguments: &[&str]| program.command(self.workspace, arguments);
        self.run("remains of image builds", buildah(&["rm", "--all"]))?;
        let mut size = self.workspace.command("du");
        size.args(["--summarize", "--block-size=1M"])
            .arg(self.store());
        let size = output_of(&mut size);
        let size = size.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        if size.is_some_and(|size| size > MOST_LAYERS_MIB) {
            self.run("old image layers", buildah(&["rmi", "--all", "--force"]))?;
        }
        Ok(())
    }

    fn store(&self) -> PathBuf {
        self.workspace.cache.join("image-layers")
    }

    /// Makes an image of the tree, unless it is there from an earlier build.
    fn import(&self, program: &Program, base: &Base) -> Result<()> {
        let buildah = |arguments: &[&str]| program.command(self.workspace, arguments);
        if output_of(&mut buildah(&["inspect", "--type=image", &base.name])).is_some() {
            return Ok(());
        }
        let container = output_of(&mut buildah(&["from", "scratch"]));
        let container = container.context("buildah made no empty container")?;
        let tree = base.tree.display().to_string();
        self.run(
            "image base",
            buildah(&["add", "--quiet", &container, &tree, "/"]),
        )?;
        let commit = ["commit", "--rm", "--timestamp=0", &container, &base.name];
        self.run("image base", buildah(&commit))
    }

    fn run(&self, name: &str, command: Command) -> Result<()> {
        eprintln!("{name} ..");
        let job = Job::new(self.workspace, name, command, LIMIT);
        job.run_to_success().map(drop)
    }

    fn program(&self) -> Result<Program> {
        Ok(match self.builder {
            Builder::Buildah => self.buildah()?,
            Builder::Podman => Program::new("podman"),
            Builder::Docker => Program::new("docker"),
        })
    }

    /// buildah with images and layers in netdiag's cache. Where the kernel cannot overlay them, they are copied.
    fn buildah(&self) -> Result<Program> {
        let store = self.store();
        fs::create_dir_all(&store)
            .with_context(|| format!("failed to create {}", store.display()))?;
        let with = |driver: &str| Program {
            inside: self.material.inside(),
            name: "buildah",
            settings: vec![
                format!("--root={}", store.display()),
                format!("--runroot={}", store.join("run").display()),
                format!("--storage-driver={driver}"),
            ],
        };
        let overlay = with("overlay");
        let works = output_of(&mut overlay.command(self.workspace, &["info"])).is_some();
        Ok(if works { overlay } else { with("vfs") })
    }
}

/// A builder, with the command that it runs inside and the settings that come before its own.
struct Program {
    inside: &'static [&'static str],
    name: &'static str,
    settings: Vec<String>,
}

impl Program {
    fn new(name: &'static str) -> Self {
        Self {
            inside: &[],
            name,
            settings: Vec::new(),
        }
    }

    fn command(&self, workspace: &Workspace, arguments: &[&str]) -> Command {
        let settings = self.settings.iter().map(String::as_str);
        let mut words = self
            .inside
            .iter()
            .copied()
            .chain([self.name])
            .chain(settings);
        let mut command = workspace.command(words.next().unwrap_or(self.name));
        command.args(words).args(arguments);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::Offline;

    fn words(command: &Command) -> Vec<String> {
        std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// The words that build and save the agent's image.
    fn commands(builder: Builder, material: &Material) -> (Vec<String>, Vec<String>) {
        let workspace = Workspace::find().unwrap();
        let sources = Sources::read(&workspace).unwrap();
        let build = Build {
            workspace: &workspace,
            builder,
            material,
            sources: &sources,
            arch: Some(Arch::Arm64),
            arguments: &["PROFILE=dev"],
            registry: "registry.example",
            tag: "7",
        };
        let program = Program {
            inside: material.inside(),
            ..Program::new("program")
        };
        let name = "registry.example/netdiag-agent:7";
        let save = build.save(&program, name, Path::new("/out/agent.tar"));
        (
            words(&build.build(&program, Target::Agent, name)),
            words(&save),
        )
    }

    #[test]
    fn every_builder_is_told_the_time_the_base_and_the_machine() {
        let material = Material::Public {
            base: Some("mirror.example/debian:12".to_owned()),
        };
        for (builder, time) in [
            (Builder::Buildah, "--timestamp=0"),
            (Builder::Podman, "--timestamp=0"),
            (Builder::Docker, "--build-arg=SOURCE_DATE_EPOCH=0"),
        ] {
            let (build, save) = commands(builder, &material);
            assert_eq!(build[..2], ["program", "build"]);
            assert!(build.contains(&time.to_owned()), "{build:?}");
            for argument in [
                "--build-arg=BUILD_BASE=mirror.example/debian:12",
                "--build-arg=PROFILE=dev",
                "--platform=linux/arm64",
            ] {
                assert!(build.contains(&argument.to_owned()), "{build:?}");
            }
            assert!(
                save.iter().any(|word| word.contains("/out/agent.tar")),
                "{save:?}"
            );
        }
    }

    #[test]
    fn an_offline_build_has_no_network() {
        let base = Base {
            tree: "/tree".into(),
            name: "localhost/base:1".to_owned(),
        };
        let material = Material::Offline(Offline {
            base,
            crates: "/crates".into(),
            linker: "/tools".into(),
        });
        let (build, _) = commands(Builder::Buildah, &material);
        assert_eq!(build[..2], ["unshare", "--net"]);
        assert!(
            build.contains(&"--build-context=crates=/crates".to_owned()),
            "{build:?}"
        );
    }
}
