//! Name, kernel, architecture and distribution of the node.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};

use netdiag_diagnosis::{evidence::NodeFacts, text::printable_up_to};

/// The places of os-release, the preferred one first: os-release(5).
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];
/// os-release takes less than 1 KiB.
const MAX_BYTES: u64 = 16 << 10;
/// Characters of the distribution's name that are kept.
const OS_IMAGE: usize = 128;

/// The kernel's name of this host.
pub(crate) fn host_name() -> String {
    match line("/proc/sys/kernel/hostname") {
        name if name.is_empty() => "localhost".to_owned(),
        name => name,
    }
}

/// Reads the facts of the node of this name.
pub(crate) fn node_facts(name: String, host_root: &Path) -> NodeFacts {
    NodeFacts {
        name,
        kernel: line("/proc/sys/kernel/osrelease"),
        architecture: std::env::consts::ARCH.to_owned(),
        // A container mounts neither file. The root of the node's first process has them.
        os_image: [host_root, Path::new("/proc/1/root")]
            .into_iter()
            .find_map(os_image),
    }
}

/// The distribution of a root file system; `None` where it has no os-release, or its root is closed to the agent.
fn os_image(root: &Path) -> Option<String> {
    OS_RELEASE.iter().find_map(|path| {
        let mut text = String::new();
        let file = open_below(root, path).ok()?;
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        pretty_name(&text)
    })
}

/// Opens a file below a root for reading. An absolute symbolic link on the way begins at that root again: the usual way
/// of a path would end in the file system of the agent's image.
fn open_below(root: &Path, path: &str) -> rustix::io::Result<File> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, folder, Mode::empty())?;
    // A node's pipe of that name would block a window.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).map(File::from)
}

/// PRETTY_NAME of an os-release, without its quotes.
fn pretty_name(os_release: &str) -> Option<String> {
    let mut lines = os_release.lines();
    let value = lines.find_map(|line| line.trim().strip_prefix("PRETTY_NAME="))?;
    let value = value.trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| printable_up_to(value, OS_IMAGE))
}

fn line(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{env, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_distribution_is_called_by_its_pretty_name() {
        let debian = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
        assert_eq!(
            pretty_name(debian).as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        assert_eq!(
            pretty_name("PRETTY_NAME='a\u{1b}b'").as_deref(),
            Some(r"a\u{1b}b")
        );
        assert_eq!(pretty_name("PRETTY_NAME=\"\"\nID=x"), None);
        assert_eq!(pretty_name(""), None);
    }

    #[test]
    fn links_of_a_root_stay_below_it() {
        let root = env::temp_dir().join(format!("netdiag-os-release-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for folder in ["etc/static", "usr/lib"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        assert_eq!(os_image(&root), None);
        fs::write(root.join("usr/lib/os-release"), "PRETTY_NAME=Second\n").unwrap();
        assert_eq!(os_image(&root).as_deref(), Some("Second"));
        fs::write(root.join("etc/static/os-release"), "PRETTY_NAME=First\n").unwrap();
        // As on NixOS: absolute on the node, and not to be found in the agent's container.
        for target in [
            "/etc/static/os-release",
            "../etc/static/os-release",
            "../../../etc/static/os-release",
        ] {
            let link = root.join("etc/os-release");
            symlink(target, &link).unwrap();
            assert_eq!(os_image(&root).as_deref(), Some("First"), "{target}");
            fs::remove_file(link).unwrap();
        }
        fs::remove_dir_all(root).unwrap();
    }
}
