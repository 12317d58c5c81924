//! The suites: which test programs they run, what they need, how long they may take.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::build::{Built, Executable};
use crate::guests;
use crate::job::Job;
use crate::setup::Need;
use crate::table::Row;
use crate::tests_output::Counts;
use crate::workspace::Workspace;

/// A set of tests that need the same things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Formatting and clippy
    Lint,
    /// Generated files against what generates them
    Codegen,
    /// Everything that needs neither root nor a network: pure logic and recorded evidence
    Unit,
    /// The agent's probes and sources on the running kernel
    Live,
    /// Custom resources, controller and agent against a real API server
    Apiserver,
    /// The chart on a cluster of real nodes
    Cluster,
    /// The kernel scenarios on stock kernels in QEMU, as `cargo xtask test-vm` runs them
    Kernels,
}

impl Suite {
    /// What runs when no suite is named. The kernels take longer than all others together, and are asked for by name.
    pub const USUAL: [Self; 6] = [
        Self::Lint,
        Self::Codegen,
        Self::Unit,
        Self::Live,
        Self::Apiserver,
        Self::Cluster,
    ];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Codegen => "codegen",
            Self::Unit => "unit",
            Self::Live => "live kernel",
            Self::Apiserver => "API server",
            Self::Cluster => "cluster",
            Self::Kernels => "kernels",
        }
    }

    pub fn needs(self) -> &'static [Need] {
        match self {
            Self::Lint | Self::Codegen | Self::Unit => &[],
            Self::Live => &[Need::Ebpf, Need::Namespaces, Need::ControlPlane],
            Self::Apiserver => &[Need::ControlPlane],
            Self::Cluster => &[
                Need::Ebpf,
                Need::Namespaces,
                Need::ControlPlane,
                Need::Nodes,
            ],
            Self::Kernels => &guests::NEEDS,
        }
    }

    /// Tests that make faults on the running kernel.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::Cluster)
    }

    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Lint | Self::Codegen | Self::Unit | Self::Apiserver => 5 * 60,
            Self::Live => 15 * 60,
            Self::Cluster => 10 * 60,
            Self::Kernels => return guests::LIMIT,
        })
    }

    /// The arguments with which `program` runs this suite's tests, if it has any.
    ///
    /// Tests that need more than a compiler are ignored by default. Those in the end-to-end
    /// program's module `apiserver` need a control plane alone, those in `cluster` real nodes, those in `kernels` a guest; all
    /// others are live ones.
    fn arguments(self, program: &Executable) -> Option<&'static [&'static str]> {
        let end_to_end = program.package == "netdiag-e2e" && program.kind == "test";
        match (self, end_to_end) {
            (Self::Unit, _) => Some(&[]),
            (Self::Live, false) => Some(&["--ignored", "--nocapture", "--test-threads=1"]),
            (Self::Live, true) => Some(&[
                "--ignored",
                "--nocapture",
                "--test-threads=1",
                "--skip=apiserver::",
                "--skip=kernels::",
                "--skip=cluster::",
            ]),
            (Self::Apiserver, true) => Some(&["apiserver::", "--ignored", "--nocapture"]),
            (Self::Cluster, true) => {
                Some(&["cluster::", "--ignored", "--nocapture", "--test-threads=1"])
            }
            (Self::Apiserver | Self::Cluster, false)
            | (Self::Lint | Self::Codegen | Self::Kernels, _) => None,
        }
    }
}

/// Runs the test programs of `suite` one after the other; together they have the suite's limit.
/// `prepare` gives each program its environment.
pub fn run(
    workspace: &Workspace,
    suite: Suite,
    built: &Built,
    prepare: impl Fn(&mut Command),
) -> Result<Row> {
    let mut row = Row::made(suite.name(), Duration::ZERO, "");
    for program in built.executables.iter().filter(|built| built.is_test) {
        let Some(arguments) = suite.arguments(program) else {
            continue;
        };
        let mut command = workspace.command(&program.path);
        command.args(arguments).current_dir(&program.folder);
        command.env("CARGO_MANIFEST_DIR", &program.folder);
        prepare(&mut command);
        let name = format!("{} {} {}", suite.name(), program.package, program.target);
        let job = Job {
            workspace,
            name: &name,
            command,
            limit: suite.limit().saturating_sub(row.took),
            output: None,
        };
        let ended = job.run()?;
        row.took += ended.took;
        let output = fs::read(&ended.log).context("failed to read a test log")?;
        let mut counts = Counts::read(&String::from_utf8_lossy(&output));
        if !ended.success && counts.failed == 0 {
            // It crashed or was ended: no count tells.
            counts.failed = 1;
            counts.failures.push(name);
        }
        if !ended.success {
            eprintln!("{}", ended.excerpt());
        }
        row.counts.add(counts);
        if ended.over_limit {
            row.note = format!("FAILED: over its limit of {} s", suite.limit().as_secs());
            break;
        }
    }
    if row.counts == Counts::default() {
        return Ok(Row::failed(suite.name(), row.took, "it ran no test"));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(package: &str, kind: &str) -> Executable {
        Executable {
            package: package.to_owned(),
            target: "any".to_owned(),
            kind: kind.to_owned(),
            is_test: true,
            folder: "/".into(),
            path: "/bin/true".into(),
        }
    }

    #[test]
    fn each_ignored_test_runs_in_one_suite_and_no_other_test_does_twice() {
        let end_to_end = program("netdiag-e2e", "test");
        let live = Suite::Live.arguments(&end_to_end).unwrap();
        let apiserver = Suite::Apiserver.arguments(&end_to_end).unwrap();
        assert!(live.contains(&"--skip=apiserver::") && apiserver.contains(&"apiserver::"));
        assert!(live.contains(&"--skip=kernels::"), "they need a guest");
        assert!(live.contains(&"--ignored") && apiserver.contains(&"--ignored"));

        let agent = program("netdiag-agent", "lib");
        assert!(
            Suite::Live
                .arguments(&agent)
                .unwrap()
                .contains(&"--ignored")
        );
        assert_eq!(Suite::Apiserver.arguments(&agent), None);
        assert_eq!(Suite::Unit.arguments(&agent), Some(&[][..]));
    }
}
