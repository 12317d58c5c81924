//! Feeds what comes from outside with inputs of LLVM's fuzzer. `cargo xtask fuzz` builds this program with coverage and
//! runs it, one target a process.

#![no_main]

mod base;
mod json;
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

/// The variable that names the target.
const TARGET: &str = "NETDIAG_FUZZ_TARGET";

static CHOSEN: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var(TARGET).unwrap_or_default();
    let found = targets::ALL.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, target)| *target)
        .expect("NETDIAG_FUZZ_TARGET names a target")
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    if CHOSEN(bytes).is_some() {
        Corpus::Keep
    } else {
        Corpus::Reject
    }
});
