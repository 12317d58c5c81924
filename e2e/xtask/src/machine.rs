//! The facts and permissions of this machine, as far as the set-up and the suites need to know.

use std::fs;
use std::io::{IsTerminal, stderr, stdin};
use std::path::Path;
use std::process::{Command, Stdio};

/// Capability numbers of linux/capability.h.
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Facts about this machine.
pub struct Machine {
    /// Effective user id 0.
    pub root: bool,
    /// Debian 12, whose package names the set-up knows.
    pub debian_12: bool,
    /// Someone can be asked.
    pub terminal: bool,
    /// A CI run, where nothing may be left out quietly.
    pub ci: bool,
    /// Why live kernel tests cannot run, if so.
    pub no_live_tests: Option<String>,
}

impl Machine {
    /// Looks at the machine once.
    pub fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let root = effective_uid(&status) == Some(0);
        Self {
            root,
            debian_12: fs::read_to_string("/etc/os-release").is_ok_and(|text| is_debian_12(&text)),
            terminal: stdin().is_terminal() && stderr().is_terminal(),
            ci: std::env::var("CI").is_ok_and(|value| value == "true" || value == "1"),
            no_live_tests: no_live_tests(root, &status),
        }
    }
}

/// The first line that `program --version` or the like prints, if the program is there and works.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// True if a folder of PATH holds `program`.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The first version number in `text` as (major, minor).
pub fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .find_map(|word| {
            let mut parts = word.split('.');
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            Some((major, minor))
        })
}

fn no_live_tests(root: bool, status: &str) -> Option<String> {
    if !root {
        return Some("not root".to_owned());
    }
    let missing: Vec<_> = [
        (CAP_NET_ADMIN, "CAP_NET_ADMIN"),
        (CAP_SYS_ADMIN, "CAP_SYS_ADMIN"),
        (CAP_PERFMON, "CAP_PERFMON"),
        (CAP_BPF, "CAP_BPF"),
    ]
    .into_iter()
    .filter(|(number, _)| effective_capabilities(status) & (1 << number) == 0)
    .map(|(_, name)| name)
    .collect();
    if !missing.is_empty() {
        return Some(format!("root here lacks {}", missing.join(", ")));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("this kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    None
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn effective_uid(status: &str) -> Option<u32> {
    field(status, "Uid")?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn effective_capabilities(status: &str) -> u64 {
    field(status, "CapEff")
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_debian_12(os_release: &str) -> bool {
    let has = |wanted| {
        os_release
            .lines()
            .any(|line| line.replace('"', "") == wanted)
    };
    has("ID=debian") && has("VERSION_ID=12")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_in_what_tools_print() {
        assert_eq!(version_in("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version_in("bpf-linker 0.13.0"), Some((0, 13)));
        assert_eq!(version_in("Kubernetes v1.35.4"), Some((1, 35)));
        assert_eq!(version_in("unknown"), None);
    }

    #[test]
    fn tells_debian_12_from_its_derivatives() {
        assert!(is_debian_12("ID=debian\nVERSION_ID=\"12\"\n"));
        assert!(!is_debian_12(
            "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"12\"\n"
        ));
        assert!(!is_debian_12("ID=debian\nVERSION_ID=\"13\"\n"));
    }

    #[test]
    fn names_the_capabilities_that_root_lacks() {
        let status = "Uid:\t0\t0\t0\t0\nCapEff:\t0000004000001000\n";
        let why = no_live_tests(effective_uid(status) == Some(0), status).unwrap();
        assert_eq!(why, "root here lacks CAP_SYS_ADMIN, CAP_BPF");
        assert_eq!(no_live_tests(false, status).unwrap(), "not root");
    }
}
