//! Settings of the whole machine that a kubelet changes, put back afterwards.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use crate::cleanup::Undo;

/// Below /proc/sys.
const CHANGED: [&str; 3] = [
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
];

/// Puts the settings back when dropped.
pub struct HostSettings {
    _undo: Undo,
}

impl HostSettings {
    /// Remembers them.
    pub fn remember() -> Result<Self> {
        let values = settings_of_host()?;
        let undo = Undo::register(move || restore_settings(&values));
        Ok(Self { _undo: undo })
    }
}

/// The settings as they are now: files and what is in them.
pub fn settings_of_host() -> Result<BTreeMap<String, String>> {
    let read = |name: &&str| {
        let path = format!("/proc/sys/{name}");
        let value = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        Ok((path, value.trim().to_owned()))
    };
    CHANGED.iter().map(read).collect()
}

/// Puts settings back that [`settings_of_host`] gave.
pub fn restore_settings(values: &BTreeMap<String, String>) {
    for (path, value) in values {
        if let Err(error) = fs::write(path, value) {
            eprintln!("failed to restore {path}: {error}");
        }
    }
}
