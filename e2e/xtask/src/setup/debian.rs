//! Debian's packages of other suites and architectures, fetched without a change to this machine's own package lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::run;
use crate::machine::output_of;
use crate::workspace::Workspace;

/// Package lists of some suites, in a folder of their own.
pub struct Packages<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Packages<'a> {
    /// Fetches the lists of these suites for these architectures.
    pub fn fetch(
        workspace: &'a Workspace,
        folder: &Path,
        suites: &[&str],
        architectures: &[&str],
    ) -> Result<Self> {
        for private in ["lists/partial", "archives/partial"] {
            let private = folder.join(private);
            fs::create_dir_all(&private)
                .with_context(|| format!("failed to create {}", private.display()))?;
        }
        let mut sources = String::new();
        for suite in suites {
            let mirror = mirror(workspace, suite)?;
            sources.push_str(&format!(
                "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch={}] {mirror} {suite} main\n",
                architectures.join(","),
            ));
        }
        fs::write(folder.join("sources.list"), sources)
            .context("failed to write a package source")?;
        let architectures = architectures
            .iter()
            .map(|architecture| format!("APT::Architectures:: \"{architecture}\";\n"));
        fs::write(folder.join("apt.conf"), architectures.collect::<String>())
            .context("failed to write apt's configuration")?;
        let packages = Self {
            workspace,
            folder: folder.to_owned(),
        };
        let mut update = packages.command("apt-get");
        update.arg("update");
        run(workspace, "package lists", update)?;
        Ok(packages)
    }

    /// The releases of the kernels in these lists (`uname -r`).
    pub fn kernels(&self) -> Vec<String> {
        const IMAGE: &str = "linux-image-";
        let mut names = self.command("apt-cache");
        let said = output_of(names.args(["pkgnames", IMAGE])).unwrap_or_default();
        let releases = said.lines().filter_map(|name| name.strip_prefix(IMAGE));
        let releases = releases.filter(|release| {
            let is_whole = release.starts_with(|c: char| c.is_ascii_digit());
            // Names of a series, such as 6.1-amd64, depend on its newest kernel; -dbg and -unsigned hold another.
            let (version, flavour) = release.split_once(['-', '+']).unwrap_or_default();
            is_whole
                && version.split('.').count() > 2
                && !flavour.contains("dbg")
                && !flavour.contains("unsigned")
                && !flavour.contains("template")
        });
        let mut releases: Vec<_> = releases.map(str::to_owned).collect();
        releases.sort_by_key(|release| numbers(release));
        releases
    }

    /// Unpacks a kernel's image and modules into `tree`, the modules below `lib/modules`; its image.
    pub fn unpack_kernel(&self, release: &str, tree: &Path) -> Result<PathBuf> {
        let architecture = release.rsplit('-').next().unwrap_or_default();
        // Since 6.18 the image is spread over several packages, on which the one with the old name depends.
        let mut packages = vec![format!("linux-image-{release}")];
        let mut depends = self.command("apt-cache");
        depends.args(["depends", &format!("{}:{architecture}", packages[0])]);
        let said = output_of(&mut depends).unwrap_or_default();
        let parts = said
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            // A name in angle brackets is one of a package that the mirror no longer has.
            .map(|name| name.trim_matches(['<', '>']))
            .map(|name| name.split(':').next().unwrap_or_default())
            .filter(|name| name.ends_with(&format!("-{release}")));
        packages.extend(parts.map(str::to_owned));
        for package in &packages {
            let mut download = self.command("apt-get");
            download.args(["download", &format!("{package}:{architecture}")]);
            run(self.workspace, "kernel package", download)?;
            self.unpack(package, tree)?;
        }
        // Debian 13 puts modules below /usr.
        if !tree.join("lib/modules").is_dir() {
            fs::rename(tree.join("usr/lib"), tree.join("lib"))
                .context("failed to take the modules")?;
        }
        let images = [
            tree.join("boot").join(format!("vmlinuz-{release}")),
            tree.join("lib/modules").join(release).join("vmlinuz"),
        ];
        let image = images.into_iter().find(|image| image.is_file());
        image.with_context(|| format!("the packages of {release} hold no kernel"))
    }

    fn unpack(&self, package: &str, tree: &Path) -> Result<()> {
        let begin = format!("{package}_");
        let archive = fs::read_dir(&self.folder)
            .context("failed to read a folder")?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&begin) && name.ends_with(".deb")
            })
            .with_context(|| format!("{package} was not downloaded"))?;
        let mut unpack = self.workspace.command("dpkg-deb");
        unpack.arg("-x").arg(&archive).arg(tree);
        run(self.workspace, "kernel package", unpack)?;
        fs::remove_file(&archive).with_context(|| format!("failed to remove {}", archive.display()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.workspace.command(program);
        command.current_dir(&self.folder).arg("-q");
        command.arg("-c").arg(self.folder.join("apt.conf"));
        for (option, path) in [
            ("Etc::sourcelist", self.folder.join("sources.list")),
            ("Etc::sourceparts", PathBuf::from("-")),
            ("State::Lists", self.folder.join("lists")),
            ("Cache", self.folder.clone()),
        ] {
            command.arg("-o");
            command.arg(format!("Dir::{option}={}", path.display()));
        }
        command
    }
}

/// The numbers of a release without that of its architecture: a later release has greater ones.
fn numbers(release: &str) -> Vec<u64> {
    let (version, _architecture) = release.rsplit_once('-').unwrap_or((release, ""));
    let parts = version.split(|c: char| !c.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// The mirrors that this machine already uses: one for suites, one for their security updates.
fn mirror(workspace: &Workspace, suite: &str) -> Result<String> {
    let codename = match suite.ends_with("-security") {
        true => "bookworm-security",
        false => "bookworm",
    };
    let mut targets = workspace.command("apt-get");
    targets.args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]);
    targets.arg(format!("Codename: {codename}"));
    let said = output_of(&mut targets).unwrap_or_default();
    let first = said.lines().next().map(str::to_owned);
    first.with_context(|| {
        format!("no package source of {codename} is configured, or apt-get update was never run")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_release_is_greater() {
        let releases = [
            "6.12.43+deb13-cloud-amd64",
            "6.12.115+deb13-cloud-amd64",
            "6.12.115+deb13.1-cloud-amd64",
            "7.3.4+deb13-cloud-amd64",
        ];
        assert!(releases.map(numbers).is_sorted());
    }
}
