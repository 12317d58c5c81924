//! The tools that build eBPF programs: a compiler that can build `core` for the bpf target, and bpf-linker with an LLVM
//! no older than the compiler's.
//!
//! Debian packages both a recent compiler with its sources and the LLVM that goes with it, so on
//! Debian no nightly is needed. Elsewhere a nightly with rust-src and a bpf-linker do as well.

use std::path::Path;

use super::packages::{apt_install, apt_obstacle};
use super::step::{Need, Step, nothing};
use crate::machine::{output_of, version_in};
use crate::workspace::Workspace;

const BPF_LINKER: &str = "0.13.0";
const BY_HAND: &str = "a nightly with the library sources (rustup toolchain install nightly --component rust-src) \
    and bpf-linker 0.13 or newer (cargo install bpf-linker)";

/// Debian 12's rustc 1.96 with its sources, LLVM 22 as the library that bpf-linker links to, and
/// what that library's own link line asks for.
const DEBIAN_PACKAGES: [&str; 10] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "libstd-rust-web-dev",
    "llvm-22-dev",
    "libpolly-22-dev",
    "clang-22",
    "zlib1g-dev",
    "libzstd-dev",
    "libxml2-dev",
];

pub const PACKAGES: Step = Step {
    name: "eBPF packages",
    need: Need::Ebpf,
    purpose: "a Rust compiler with library sources and an LLVM, both used only for eBPF",
    obstacle: |machine| apt_obstacle(machine, BY_HAND),
    present: |workspace| ready(workspace) || packages_are_installed(workspace),
    commands: |workspace| Ok(apt_install(workspace, &DEBIAN_PACKAGES)),
    finish: nothing,
};

pub const TOOLCHAIN: Step = Step {
    name: "eBPF compiler",
    need: Need::Ebpf,
    purpose: "make that compiler known to rustup under the name bpf",
    obstacle: |machine| apt_obstacle(machine, BY_HAND),
    present: has_compiler,
    commands: |workspace| {
        let mut rustup = workspace.command("rustup");
        rustup.args(["toolchain", "link", "bpf", "/usr"]);
        Ok(vec![rustup])
    },
    finish: nothing,
};

pub const LINKER: Step = Step {
    name: "bpf-linker",
    need: Need::Ebpf,
    purpose: "link eBPF programs",
    obstacle: |machine| apt_obstacle(machine, BY_HAND),
    present: has_linker,
    commands: |workspace| {
        let mut cargo = workspace.cargo();
        cargo.args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked"]);
        cargo.args(["--no-default-features", "--features", "llvm-22"]);
        cargo.env("LLVM_PREFIX", "/usr/lib/llvm-22");
        Ok(vec![cargo])
    },
    finish: nothing,
};

/// True if eBPF programs can be built here. The agent's build.rs looks for the same compilers.
pub fn ready(workspace: &Workspace) -> bool {
    has_compiler(workspace) && has_linker(workspace)
}

fn has_compiler(workspace: &Workspace) -> bool {
    ["bpf", "nightly"].iter().any(|toolchain| {
        let mut rustup = workspace.command("rustup");
        rustup.args(["run", toolchain, "rustc", "--print", "sysroot"]);
        output_of(&mut rustup).is_some_and(|sysroot| {
            Path::new(&sysroot)
                .join("lib/rustlib/src/rust/library/core")
                .is_dir()
        })
    })
}

fn has_linker(workspace: &Workspace) -> bool {
    output_of(workspace.command("bpf-linker").arg("--version"))
        .and_then(|text| version_in(&text))
        .is_some_and(|version| version >= (0, 13))
}

fn packages_are_installed(workspace: &Workspace) -> bool {
    let mut query = workspace.command("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status}\n"]);
    query.args(DEBIAN_PACKAGES);
    output_of(&mut query).is_some_and(|text| text.lines().all(|status| status == "installed"))
}
