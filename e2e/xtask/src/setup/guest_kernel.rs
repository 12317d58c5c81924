//! One guest's kernel: Debian's newest of a suite, what mounts its root, and its modules.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::run;
use crate::guests::Kernel;
use crate::machine::output_of;
use crate::workspace::Workspace;

/// The package that depends on the newest kernel of a suite.
const NEWEST: &str = "linux-image-cloud-amd64";
/// The modules that mount the root.
const ROOT_MODULES: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];

/// Makes `vmlinuz`, `initrd`, `modules.ext4` and `release` in `folder`, without a change to this machine's own package
/// lists.
pub fn make(workspace: &Workspace, folder: &Path, kernel: Kernel) -> Result<()> {
    let work = folder.join("work");
    for private in ["lists/partial", "archives/partial", "tree"] {
        create(&work.join(private))?;
    }
    let package = download(workspace, &work, kernel)?;
    let release = package.trim_start_matches("linux-image-").to_owned();
    let tree = work.join("tree");
    unpack(workspace, &work, &package, &tree)?;
    let image = tree.join("boot").join(format!("vmlinuz-{release}"));
    fs::rename(&image, folder.join("vmlinuz"))
        .with_context(|| format!("failed to take {}", image.display()))?;
    let mut depmod = workspace.command("depmod");
    depmod.arg("-b").arg(&tree).arg(&release);
    run(workspace, "guest kernel", depmod)?;
    initrd(workspace, folder, &tree, &release)?;
    let mut disk = workspace.command("mke2fs");
    disk.args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]);
    disk.arg(tree.join("lib/modules"));
    disk.arg(folder.join("modules.ext4")).arg("400M");
    run(workspace, "guest kernel", disk)?;
    fs::write(folder.join("release"), format!("{release}\n"))
        .context("failed to write the release")?;
    fs::remove_dir_all(&work).with_context(|| format!("failed to remove {}", work.display()))
}

/// Downloads the newest kernel package of the suite; its name.
fn download(workspace: &Workspace, work: &Path, kernel: Kernel) -> Result<String> {
    let suite = kernel.suite();
    let mirror = mirror(workspace, suite)?;
    let source = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main\n"
    );
    fs::write(work.join("sources.list"), source).context("failed to write a package source")?;
    let private = |program: &str| {
        let mut command = workspace.command(program);
        command.current_dir(work).arg("-q");
        for (option, path) in [
            ("Etc::sourcelist", work.join("sources.list")),
            ("Etc::sourceparts", PathBuf::from("-")),
            ("State::Lists", work.join("lists")),
            ("Cache", work.to_owned()),
        ] {
            command.arg("-o");
            command.arg(format!("Dir::{option}={}", path.display()));
        }
        command
    };
    let mut update = private("apt-get");
    update.arg("update");
    run(workspace, "guest kernel", update)?;
    let mut depends = private("apt-cache");
    let said = output_of(depends.args(["depends", NEWEST])).unwrap_or_default();
    let package = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .with_context(|| format!("{suite} has no {NEWEST}"))?
        .to_owned();
    let mut download = private("apt-get");
    download.args(["download", &package]);
    run(workspace, "guest kernel", download)?;
    Ok(package)
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

fn unpack(workspace: &Workspace, work: &Path, package: &str, tree: &Path) -> Result<()> {
    let begin = format!("{package}_");
    let archive = entries(work)?
        .into_iter()
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&begin) && name.ends_with(".deb")
        })
        .with_context(|| format!("{package} was not downloaded"))?;
    let mut unpack = workspace.command("dpkg-deb");
    unpack.arg("-x").arg(&archive).arg(tree);
    run(workspace, "guest kernel", unpack)?;
    // Debian 13 puts modules below /usr.
    if !tree.join("lib/modules").is_dir() {
        fs::rename(tree.join("usr/lib"), tree.join("lib")).context("failed to take the modules")?;
    }
    Ok(())
}

/// The first file system: busybox, and the modules that mount the root, in the order to load them.
fn initrd(workspace: &Workspace, folder: &Path, tree: &Path, release: &str) -> Result<()> {
    let root = folder.join("work/initrd");
    create(&root.join("bin"))?;
    create(&root.join("modules"))?;
    for (number, module) in modules(workspace, tree, release)?.iter().enumerate() {
        let name = module.file_stem().unwrap_or_default().to_string_lossy();
        let place = root.join(format!("modules/{:02}-{name}", number + 10));
        // Unpacked, for a busybox that unpacks nothing.
        if module.extension().is_some_and(|ending| ending == "xz") {
            let mut xz = workspace.command("xz");
            xz.args(["--decompress", "--stdout"]).arg(module);
            into_file(&mut xz, &place)?;
        } else {
            copy(module, &place)?;
        }
    }
    let busybox = output_of(workspace.command("which").arg("busybox"));
    let busybox = busybox.context("busybox is not on PATH")?;
    copy(Path::new(&busybox), &root.join("bin/busybox"))?;
    let init = root.join("init");
    copy(&workspace.root.join("e2e/guest/initrd-init"), &init)?;
    fs::set_permissions(&init, Permissions::from_mode(0o755))
        .context("failed to make init executable")?;
    let mut pack = workspace.command("sh");
    pack.args(["-c", "find . | cpio --quiet --create --format=newc"]);
    into_file(pack.current_dir(&root), &folder.join("initrd"))
}

/// Files of the modules that mount the root, each behind those that it needs.
fn modules(workspace: &Workspace, tree: &Path, release: &str) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for module in ROOT_MODULES {
        let mut show = workspace.command("modprobe");
        show.arg("--dirname").arg(tree);
        show.args(["--set-version", release, "--show-depends", module]);
        let said = output_of(&mut show)
            .with_context(|| format!("the kernel {release} has no module {module}"))?;
        all.extend(loaded(&said));
    }
    let mut seen = BTreeSet::new();
    all.retain(|file| seen.insert(file.clone()));
    Ok(all)
}

/// The files in lines such as `insmod /lib/modules/6.1/virtio.ko option=1`; others tell of modules that are built in.
fn loaded(said: &str) -> Vec<PathBuf> {
    said.lines()
        .filter_map(|line| line.strip_prefix("insmod ")?.split(' ').next())
        .map(PathBuf::from)
        .collect()
}

fn into_file(command: &mut Command, path: &Path) -> Result<()> {
    let file =
        File::create(path).with_context(|| format!("failed to create {}", path.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .status()
        .with_context(|| format!("failed to start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} failed: {status}", command.get_program());
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("failed to copy {} to {}", from.display(), to.display()))
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    entries
        .map(|entry| Ok(entry.context("failed to read a folder")?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_modules_are_no_files_to_load() {
        let said = "builtin virtio\ninsmod /t/lib/modules/6.1/virtio_ring.ko \n\
            insmod /t/lib/modules/6.1/virtio_pci.ko.xz option=1\n";
        let files = [
            "/t/lib/modules/6.1/virtio_ring.ko",
            "/t/lib/modules/6.1/virtio_pci.ko.xz",
        ];
        assert_eq!(loaded(said), files.map(PathBuf::from));
    }
}
