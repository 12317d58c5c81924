//! Settings that a kernel has once, for all its namespaces.

use std::env;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::cleanup::Undo;

/// A changed setting; it is set back when this value goes.
pub struct KernelSetting(#[expect(dead_code, reason = "its end undoes the change")] Undo);

impl KernelSetting {
    /// Sets a sysctl (dotted name).
    ///
    /// # Errors
    /// When this machine is no guest: elsewhere the setting is everybody's.
    pub fn set(name: &str, value: &str) -> Result<Self> {
        ensure!(
            env::var_os("NETDIAG_GUEST").is_some(),
            "{name} is the whole machine's and set only in guests"
        );
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let before = fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
        fs::write(&file, value).with_context(|| format!("failed to write {file}"))?;
        Ok(Self(Undo::register(move || {
            if let Err(error) = fs::write(&file, before) {
                eprintln!("failed to set {file} back: {error}");
            }
        })))
    }
}
