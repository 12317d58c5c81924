//! Settings of the whole machine that a kubelet changes, put back afterwards.

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
        let read = |name: &&str| {
            let path = format!("/proc/sys/{name}");
            let value = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"));
            Ok((path.clone(), value?))
        };
        let values: Vec<(String, String)> = CHANGED.iter().map(read).collect::<Result<_>>()?;
        let undo = Undo::register(move || {
            for (path, value) in values {
                if let Err(error) = fs::write(&path, value) {
                    eprintln!("failed to restore {path}: {error}");
                }
            }
        });
        Ok(Self { _undo: undo })
    }
}
