//! One guest's kernel: Debian's newest of a suite, what mounts its root, and its modules.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::debian::Packages;
use super::run;
use crate::guests::Kernel;
use crate::machine::output_of;
use crate::workspace::Workspace;

/// The modules that mount the root.
const ROOT_MODULES: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];

/// Makes `vmlinuz`, `initrd`, `modules.ext4` and `release` in `folder`, without a change to this machine's own package
/// lists.
pub fn make(workspace: &Workspace, folder: &Path, kernel: Kernel) -> Result<()> {
    let work = folder.join("work");
    let tree = work.join("tree");
    create(&tree)?;
    let suite = kernel.suite();
    let packages = Packages::fetch(workspace, &work, &[suite], &["amd64"])?;
    let (begin, end) = (kernel.release_prefix(), format!("-{}", kernel.flavour()));
    let all = packages.kernels();
    let mut newest_first = all.iter().rev();
    let release = newest_first
        .find(|release| release.starts_with(&begin) && release.ends_with(&end))
        .with_context(|| format!("{suite} has no kernel {kernel}, only {}", all.join(", ")))?;
    let image = packages.unpack_kernel(release, &tree)?;
    fs::rename(&image, folder.join("vmlinuz"))
        .with_context(|| format!("failed to take {}", image.display()))?;
    let mut depmod = workspace.command("depmod");
    depmod.arg("-b").arg(&tree).arg(release);
    run(workspace, "guest kernel", depmod)?;
    initrd(workspace, folder, &tree, release)?;
    let mut disk = workspace.command("mke2fs");
    disk.args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]);
    disk.arg(tree.join("lib/modules"));
    disk.arg(folder.join("modules.ext4")).arg("400M");
    run(workspace, "guest kernel", disk)?;
    fs::write(folder.join("release"), format!("{release}\n"))
        .context("failed to write the release")?;
    fs::remove_dir_all(&work).with_context(|| format!("failed to remove {}", work.display()))
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
