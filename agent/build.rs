//! Builds the eBPF object and puts it where `probes::OBJECT` includes it.
//!
//! With `AYA_BUILD_SKIP=1` it writes an empty object instead: the crate then builds without any eBPF toolchain, and
//! the agent says at run time that its probes are missing.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain, build_ebpf};

/// Name of the object in `OUT_DIR`; `probes::OBJECT` includes it under this name.
const OBJECT: &str = "netdiag-ebpf";

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed=AYA_BUILD_SKIP");
    println!("cargo:rerun-if-changed=build.rs");
    let object = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?).join(OBJECT);

    if skipped() {
        return fs::write(&object, [])
            .with_context(|| format!("failed to write {}", object.display()));
    }

    let toolchain = find_toolchain()?;
    set_up_inner_cargo(toolchain);
    let package = Package {
        name: OBJECT,
        root_dir: "../ebpf", // holds the abi crate too, so a change in either rebuilds the object
        ..Package::default()
    };
    build_ebpf([package], Toolchain::Custom(toolchain))
        .context("failed to build the eBPF object; `cargo xtask diagnose` sets its toolchain up")
}

fn skipped() -> bool {
    env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

/// The toolchain that can build `core` for the bpf target: one linked under the name `bpf` for this very purpose, else
/// a nightly that has its library sources. The named one comes first, because its LLVM is known to be the one that
/// bpf-linker was built with.
fn find_toolchain() -> Result<&'static str> {
    for toolchain in ["bpf", "nightly"] {
        if sysroot(toolchain).is_some_and(|sysroot| has_library_sources(&sysroot)) {
            return Ok(toolchain);
        }
    }
    bail!(
        "no Rust toolchain here can build eBPF programs: neither `bpf` nor `nightly` has the library sources \
         (rustup component rust-src). `cargo xtask diagnose` sets one up; AYA_BUILD_SKIP=1 builds without eBPF"
    )
}

/// Without rustup there is one compiler, that of PATH, whatever the name: aya-build takes the same.
fn sysroot(toolchain: &str) -> Option<PathBuf> {
    let print = ["rustc", "--print", "sysroot"];
    let mut rustup = Command::new("rustup");
    let output = match rustup.args(["run", toolchain]).args(print).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Command::new(print[0]).args(&print[1..]).output().ok()?
        }
        ran => ran.ok()?,
    };
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(text.trim_end()))
}

fn has_library_sources(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core").is_dir()
}

/// Settings of the cargo that aya-build runs, which takes them only from the environment: a stable compiler must
/// accept `-Z build-std`, and progress must not turn into a screen of warnings.
#[expect(
    unsafe_code,
    reason = "aya-build offers no other way to set the environment of its cargo"
)]
fn set_up_inner_cargo(toolchain: &str) {
    // SAFETY: a build script has one thread here, so nobody reads the environment at the same time.
    unsafe {
        env::set_var("CARGO_TERM_QUIET", "true");
        if toolchain != "nightly" {
            env::set_var("RUSTC_BOOTSTRAP", "1");
        }
    }
}
