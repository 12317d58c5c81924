//! A disk by which one boot learns what to run, and hands out what its scenarios recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::job::run_quietly;
use crate::slow;
use crate::workspace::Workspace;

/// Room for the recordings of one boot. The file is sparse.
const SIZE: &str = "64M";

/// The time that the guest's init gives one scenario.
const SCENARIO_LIMIT: Duration = Duration::from_secs(180);

/// The disk of one boot.
pub struct Exchange {
    pub image: PathBuf,
    folder: PathBuf,
}

impl Exchange {
    /// A disk that holds the scenarios' names, one a line, and the limit of each. Everything of it is below `folder`, in the name of `boot`.
    pub fn make(
        workspace: &Workspace,
        folder: &Path,
        boot: &str,
        scenarios: &[String],
    ) -> Result<Self> {
        let folder = folder.join(format!("exchange {boot}"));
        let contents = folder.join("in");
        fs::create_dir_all(contents.join("recordings"))
            .with_context(|| format!("failed to create {contents:?}"))?;
        let names: String = scenarios
            .iter()
            .map(|name| format!("kernels::{name}\n"))
            .collect();
        fs::write(contents.join("scenarios"), names).context("failed to write scenarios")?;
        let limit = slow::limit(SCENARIO_LIMIT).as_secs();
        fs::write(contents.join("limit"), format!("{limit}\n"))
            .context("failed to write a limit")?;
        let image = folder.join("exchange.ext4");
        let mut make = workspace.command("mke2fs");
        make.args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]);
        run_quietly(make.arg(&contents).arg(&image).arg(SIZE))?;
        Ok(Self { image, folder })
    }

    /// Takes out what the guest recorded, also of one that died; the folder with it, one below for each check.
    pub fn recordings(&self, workspace: &Workspace) -> Result<PathBuf> {
        let out = self.folder.join("out");
        fs::create_dir_all(&out).with_context(|| format!("failed to create {out:?}"))?;
        // debugfs takes its command as one text.
        let command = format!("rdump /recordings \"{}\"", out.display());
        run_quietly(
            workspace
                .command("debugfs")
                .args(["-R", &command])
                .arg(&self.image),
        )?;
        fs::remove_file(&self.image)
            .with_context(|| format!("failed to remove {:?}", self.image))?;
        Ok(out.join("recordings"))
    }
}
