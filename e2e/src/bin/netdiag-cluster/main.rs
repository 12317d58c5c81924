//! A cluster of two real nodes that stays until it is told to go, for people. `cargo xtask cluster` sets up what it
//! needs and runs this.
//!
//! `up` starts `supervise` in a session of its own, which holds the cluster and notes in a file what there is; `down`
//! ends it, and removes what it left if it was killed.

mod down;
mod record;
mod shell;
mod supervise;
mod up;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Runs a cluster of two real nodes on this machine.
#[derive(Parser)]
struct Cli {
    /// The folder in which the cluster notes what it has made, and keeps its log
    #[arg(long)]
    folder: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start it, unless it is up
    Up,
    /// End it and remove all that it made
    Down,
    /// Run a command, or a shell, that reaches it with kubectl and helm
    Shell {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Hold the cluster until SIGTERM; `up` runs this
    #[command(hide = true)]
    Supervise,
}

fn main() -> Result<()> {
    let Cli { folder, action } = Cli::parse();
    match action {
        Action::Up => up::up(&folder),
        Action::Down => down::down(&folder),
        Action::Shell { command } => shell::shell(&folder, &command),
        Action::Supervise => supervise::supervise(&folder),
    }
}
