//! Ends the cluster and removes what is left of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use netdiag_e2e::nodes::{Remains, restore_settings};
use netdiag_e2e::{process, wait};

use crate::record::{self, Record};

/// Ends the cluster, if there is one, and says what it removed.
pub fn down(folder: &Path) -> Result<()> {
    let Some(record) = Record::read(folder)? else {
        println!("No cluster is up.");
        return Ok(());
    };
    let there = Remains::of(record.process);
    if record.is_alive() {
        eprintln!("ending the cluster ..");
        end(record.process)?;
        wait::until("the cluster's end", wait::LIMIT, || {
            Ok((!record.is_alive()).then_some(()))
        })?;
    } else {
        eprintln!("The cluster's process was killed; removing what it left ..");
    }
    let noted = record::path(folder);
    if noted.exists() {
        // It did not get to the end of its own clean-up.
        Remains::of(record.process).remove();
        restore_settings(&record.settings);
        fs::remove_file(&noted).with_context(|| format!("failed to remove {}", noted.display()))?;
    }
    let left = Remains::of(record.process);
    ensure!(left.is_empty(), "this could not be removed:\n{left}");
    print!("Removed:\n{there}");
    let settings: Vec<String> = record
        .settings
        .iter()
        .map(|(path, value)| format!("{path} = {value}"))
        .collect();
    println!("As before the cluster again: {}.", settings.join(", "));
    Ok(())
}

/// Asks the cluster's process to clean up and end.
pub fn end(process: u32) -> Result<()> {
    process::run(Command::new("kill").args(["-TERM", &process.to_string()])).map(drop)
}
