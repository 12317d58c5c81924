//! Name, kernel, architecture and distribution of the node.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

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
        os_image: OS_RELEASE.iter().find_map(|path| {
            let mut text = String::new();
            let file = File::open(host_root.join(path)).ok()?;
            file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
            pretty_name(&text)
        }),
    }
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
}
