//! The test that installs from the folder of a release.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::build;
use crate::job::Job;
use crate::suites::{self, Suite};
use crate::workspace::Workspace;

/// A cluster, an installation by manifest and one by chart.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Runs the test on a cluster of a real node, and says how long it took until a first finding.
pub fn try_it(workspace: &Workspace, folder: &Path) -> Result<()> {
    let built = build::for_guests(workspace)?;
    let suite = built.executables.iter();
    let suite = suite
        .into_iter()
        .find(|program| program.is_test && program.target == "suite");
    let suite = suite.context("the build made no suite")?;
    let mut command = workspace.command(&suite.path);
    command.args(["release::", "--ignored", "--nocapture", "--test-threads=1"]);
    command.current_dir(&suite.folder);
    command.env("CARGO_MANIFEST_DIR", &suite.folder);
    command.envs(suites::environment(workspace, Suite::Cluster, None)?);
    let folder = folder.canonicalize().context("there is no such folder")?;
    command.env("NETDIAG_RELEASE", folder);
    eprintln!("install from the folder ..");
    let ended = Job::new(workspace, "try", command, LIMIT).run()?;
    let said = fs::read_to_string(&ended.log).context("failed to read a test log")?;
    anyhow::ensure!(ended.success, "{}", ended.excerpt());
    // A test that was not found passes too.
    anyhow::ensure!(said.contains("test result: ok. 1 passed"), "{said}");
    for line in said.lines().filter(|line| line.starts_with("> ")) {
        println!("{}", line.trim_start_matches("> "));
    }
    println!(
        "Installed from the folder, used and removed in {} s.",
        ended.took.as_secs()
    );
    Ok(())
}
