//! The paths of the checkout, the target folder and the cache.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The beginning of a run's folder; the process id follows.
const RUN: &str = "run-";

/// The folders that every command works in.
#[derive(Clone)]
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// The folder that outlives the target folder: control-plane binaries, a Go toolchain.
    pub cache: PathBuf,
    /// The variables that commands started from here get beside the inherited environment.
    environment: Vec<(&'static str, PathBuf)>,
}

impl Workspace {
    /// From what `cargo run` says of this package, and the usual environment variables.
    pub fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .ancestors()
            .nth(2)
            .context("xtask is not two folders below the workspace")?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        Ok(Self {
            root: root.to_path_buf(),
            target,
            cache: user_cache()?.join("netdiag"),
            environment: Vec::new(),
        })
    }

    /// The same checkout with target and cache folders inside `folder`, for a run from nothing.
    pub fn with_folders_in(&self, folder: &Path) -> Self {
        let target = folder.join("target");
        let cache = folder.join("cache");
        Self {
            root: self.root.clone(),
            target: target.clone(),
            cache: cache.join("netdiag"),
            environment: vec![
                ("CARGO_TARGET_DIR", target),
                ("XDG_CACHE_HOME", cache.clone()),
                ("GOCACHE", cache.join("go-build")),
                ("GOMODCACHE", cache.join("go-mod")),
                ("GOFLAGS", "-modcacherw".into()), // so that it can be removed again
            ],
        }
    }

    /// Logs and images of this run, so that runs side by side do not disturb each other.
    pub fn run_folder(&self) -> PathBuf {
        let run = format!("{RUN}{}", std::process::id());
        self.target.join("xtask").join(run)
    }

    /// Removes what earlier runs left; the logs of the last one stay until the next.
    pub fn remove_ended_runs(&self) {
        let Ok(entries) = fs::read_dir(self.target.join("xtask")) else {
            return; // no run yet
        };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let run = name.to_str().and_then(|name| name.strip_prefix(RUN));
            if run.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                // Another run may be removing it too; what is left is found again next time.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// `program`, to be run in the checkout with this workspace's folders.
    ///
    /// `cargo run` describes this package to it by environment variables. Build scripts compare some
    /// of them (ring's does), so handed on they would make each cargo command rebuild what the same
    /// command by hand had built.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(&self.root)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The cargo that runs this very program.
    pub fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }
}

fn user_cache() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let home = env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cache"))
}
