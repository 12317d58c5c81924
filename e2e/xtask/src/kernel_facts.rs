//! `cargo xtask kernel-facts`: facts of kernels that do not run here, as far as the agent needs them.
//!
//! Images and modules of Debian's packages are unpacked here. The agent's own code then reads types and symbols from
//! them, and writes a file a kernel into `agent/kernels` (agent/src/probes/recorded).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::setup::debian::Packages;
use crate::workspace::Workspace;

/// The suites that have the kernels.
const SUITES: [&str; 5] = [
    "bullseye-security",
    "bookworm-security",
    "trixie-security",
    "trixie-backports",
    "sid",
];
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
/// Folders of modules with functions in which packets end.
const MODULES: [&str; 2] = ["kernel/net", "kernel/drivers/net"];
/// Folders below them with drivers of hardware, in which none of the table's functions is.
const HARDWARE: [&str; 6] = ["ethernet", "wireless", "can", "usb", "phy", "dsa"];

#[derive(Args)]
pub struct KernelFactsArgs {
    /// Releases or packages, such as `7.3.4+deb13-cloud-amd64`; without any, the newest cloud kernel of each series, and
    /// its other flavours for 6.12 and the newest
    packages: Vec<String>,
}

/// Fetches, unpacks, and lets the agent's code read.
pub fn kernel_facts(workspace: &Workspace, args: &KernelFactsArgs) -> Result<ExitCode> {
    let folder = workspace.cache.join("kernel-facts");
    let lists = folder.join("packages");
    let packages = Packages::fetch(workspace, &lists, &SUITES, &ARCHITECTURES)?;
    let all = packages.kernels();
    let wanted = match &args.packages[..] {
        [] => chosen(&all),
        named => {
            let release = |name: &String| name.trim_start_matches("linux-image-").to_owned();
            named.iter().map(release).collect()
        }
    };
    // Only what this run asked for is read.
    let unpacked = workspace.run_folder().join("kernels");
    for release in &wanted {
        ensure!(
            all.contains(release),
            "Debian has no kernel {release}; it has {}",
            all.join(", ")
        );
        let kernel = folder.join(release);
        if !kernel.join("vmlinux").is_file()
            && let Err(error) = unpack(workspace, &packages, release, &kernel)
        {
            // A mirror lists some kernels of which it no longer has every package.
            eprintln!("left out: {release}: {error:#}");
            continue;
        }
        fs::create_dir_all(&unpacked).context("failed to create a folder")?;
        std::os::unix::fs::symlink(&kernel, unpacked.join(release))
            .context("failed to link a kernel")?;
    }
    let mut read = workspace.cargo();
    read.args([
        "test",
        "--package",
        "netdiag-agent",
        "--lib",
        "--quiet",
        "--",
    ]);
    read.args([
        "recorded::image::write_the_files",
        "--ignored",
        "--nocapture",
    ]);
    read.env("AYA_BUILD_SKIP", "1");
    read.env("NETDIAG_UNPACKED_KERNELS", &unpacked);
    let status = read.status().context("failed to run cargo")?;
    ensure!(status.success(), "the kernels could not be read ({status})");
    println!("wrote agent/kernels: see `git diff`, then run");
    println!("cargo test -p netdiag-diagnosis kernel && cargo test -p netdiag-agent recorded");
    Ok(ExitCode::SUCCESS)
}

/// The newest cloud kernel of each series on both architectures; of the first, of 6.12 and of the newest series also
/// the other flavours.
fn chosen(all: &[String]) -> Vec<String> {
    let series = |release: &str| {
        let mut numbers = release.split(['.', '+', '-']);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    };
    let mut every: Vec<(u32, u32)> = all.iter().filter_map(|release| series(release)).collect();
    every.sort_unstable();
    every.dedup();
    let last = every.last().copied();
    let mut chosen = Vec::new();
    for one in every {
        let is_whole = [(5, 10), (6, 1), (6, 12)].contains(&one) || Some(one) == last;
        let flavours: &[&str] = match is_whole {
            true => &["cloud-amd64", "amd64", "rt-amd64", "cloud-arm64", "arm64"],
            false => &["cloud-amd64"],
        };
        for flavour in flavours {
            let of_flavour = |release: &&String| {
                let (_, rest) = release.split_once('-').unwrap_or_default();
                // 5.10 and 6.1 have the number of their interface before the flavour.
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
                series(release) == Some(one) && rest == *flavour
            };
            chosen.extend(all.iter().rfind(of_flavour).cloned());
        }
    }
    chosen
}

/// Makes `vmlinux` and `modules/*.ko` in `folder`.
fn unpack(
    workspace: &Workspace,
    packages: &Packages<'_>,
    release: &str,
    folder: &Path,
) -> Result<()> {
    let tree = folder.join("tree");
    fs::create_dir_all(&tree).context("failed to create a folder")?;
    let image = packages.unpack_kernel(release, &tree)?;
    let modules = folder.join("modules");
    fs::create_dir_all(&modules).context("failed to create a folder")?;
    for below in MODULES {
        let root = tree.join("lib/modules").join(release).join(below);
        take_modules(workspace, &root, &modules)?;
    }
    let image = fs::read(&image).context("failed to read the image")?;
    decompress(workspace, &image, folder)?;
    fs::remove_dir_all(&tree).context("failed to remove what was unpacked")
}

fn take_modules(workspace: &Workspace, from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("failed to read {from:?}"))? {
        let path = entry.context("failed to read a folder")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !HARDWARE.contains(&name.as_ref()) {
                take_modules(workspace, &path, to)?;
            }
        } else if let Some(name) = name.strip_suffix(".xz") {
            fs::write(to.join(name), unpacked(workspace, "xz", &path)?)
                .context("failed to write a module")?;
        } else if name.ends_with(".ko") {
            fs::copy(&path, to.join(name.as_ref())).context("failed to copy a module")?;
        }
    }
    Ok(())
}

/// Writes `vmlinux`: the kernel in its image, which is compressed behind a program that unpacks it.
fn decompress(workspace: &Workspace, image: &[u8], folder: &Path) -> Result<()> {
    let payload = payload(image).context("the image is none that is known")?;
    let path = folder.join("payload");
    fs::write(&path, payload).context("failed to write the kernel")?;
    let program = match payload {
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0x02, 0x21, 0x4c, 0x18, ..] => "lz4",
        [0x1f, 0x8b, ..] => "gzip",
        [b'M', b'Z', ..] => "cat",
        other => bail!("a kernel that begins with {:x?}", other.get(..6)),
    };
    let vmlinux = unpacked(workspace, program, &path)?;
    fs::remove_file(&path).context("failed to remove the payload")?;
    // Its end marks that the folder is complete.
    fs::write(folder.join("vmlinux"), vmlinux).context("failed to write the kernel")
}

/// The compressed kernel: of a bzImage (Documentation/arch/x86/boot.rst), of an EFI image that unpacks itself
/// (drivers/firmware/efi/libstub/zboot-header.S), or arm64's image as it is.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| {
        let bytes = image.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    if image.get(4..8)? == b"zimg" {
        return image.get(word(8)?..)?.get(..word(12)?);
    }
    if image.get(0x202..0x206)? == b"HdrS" {
        let sectors = usize::from(*image.get(0x1f1)?);
        let start = (sectors + 1) * 512 + word(0x248)?;
        return image.get(start..)?.get(..word(0x24c)?);
    }
    (image.get(56..60)? == b"ARM\x64" || image.starts_with(&[0x1f, 0x8b])).then_some(image)
}

/// The output of a program for decompression. It may complain of the length that the kernel's build appends.
fn unpacked(workspace: &Workspace, program: &str, path: &PathBuf) -> Result<Vec<u8>> {
    let mut command = workspace.command(program);
    if program != "cat" {
        command.args(["--decompress", "--stdout"]);
    }
    let output = run(command.arg(path))?;
    ensure!(!output.is_empty(), "{program} made nothing of {path:?}");
    Ok(output)
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("failed to start {:?}", command.get_program()))?;
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_series_is_chosen() {
        let all = [
            "5.10.0-45-cloud-amd64",
            "5.10.0-46-cloud-amd64",
            "5.10.0-46-rt-amd64",
            "6.16.3+deb13-cloud-amd64",
            "6.16.12+deb13-cloud-amd64",
            "6.16.12+deb13-amd64",
            "7.3.4+deb13-cloud-arm64",
            "7.3.4+deb13-amd64",
        ];
        let wanted = [
            "5.10.0-46-cloud-amd64",
            "5.10.0-46-rt-amd64",
            "6.16.12+deb13-cloud-amd64",
            "7.3.4+deb13-amd64",
            "7.3.4+deb13-cloud-arm64",
        ];
        assert_eq!(chosen(&all.map(str::to_owned)), wanted);
    }
}
