//! The suites: which test programs they run, what they need, how long they may take.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::build::{self, Built, Executable};
use crate::guests;
use crate::image;
use crate::job::{Ended, Job};
use crate::offline;
use crate::setup::{self, Need};
use crate::slow;
use crate::table::Row;
use crate::tests_output::Counts;
use crate::workspace::Workspace;

/// A set of tests that need the same things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Formatting, English and clippy
    Lint,
    /// Generated files against what generates them
    Codegen,
    /// Everything that needs neither root nor a network: pure logic and recorded evidence
    Unit,
    /// Parsers and decisions with inputs of a fuzzer, two minutes in all
    Fuzz,
    /// The agent's probes and sources on the running kernel
    Live,
    /// Custom resources, controller and agent against a real API server
    Apiserver,
    /// The chart on a cluster of real nodes
    Cluster,
    /// The agent for arm64, under emulation
    Arm64,
    /// The images as they are shipped, compiled by the Dockerfile; without being named, it runs if that changed
    Dockerfile,
    /// The kernel scenarios on stock kernels in QEMU, as `cargo xtask test-vm` runs them
    Kernels,
}

impl Suite {
    /// The suites that run when none is named: all, the longest last.
    pub const USUAL: [Self; 10] = [
        Self::Lint,
        Self::Codegen,
        Self::Unit,
        Self::Fuzz,
        Self::Live,
        Self::Apiserver,
        Self::Cluster,
        Self::Arm64,
        Self::Dockerfile,
        Self::Kernels,
    ];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Codegen => "codegen",
            Self::Unit => "unit",
            Self::Fuzz => "fuzz",
            Self::Live => "live kernel",
            Self::Apiserver => "API server",
            Self::Cluster => "cluster",
            Self::Arm64 => "arm64",
            Self::Dockerfile => "Dockerfile",
            Self::Kernels => "kernels",
        }
    }

    pub fn needs(self) -> &'static [Need] {
        match self {
            Self::Lint | Self::Codegen | Self::Unit | Self::Fuzz => &[],
            Self::Live => &[Need::Ebpf, Need::Namespaces, Need::ControlPlane],
            Self::Apiserver => &[Need::ControlPlane],
            Self::Cluster => &[
                Need::Ebpf,
                Need::Namespaces,
                Need::ControlPlane,
                Need::Nodes,
                Need::Images,
            ],
            Self::Arm64 => &[Need::Ebpf, Need::Images, Need::ImageBase, Need::Arm64],
            Self::Dockerfile => &[Need::Ebpf, Need::Images, Need::ImageBase],
            Self::Kernels => &guests::NEEDS,
        }
    }

    /// The images that its tests start.
    pub fn images(self) -> Option<image::Kind> {
        match self {
            Self::Cluster => Some(image::Kind::AroundBuild),
            Self::Arm64 => Some(image::Kind::Arm64),
            Self::Dockerfile => Some(image::Kind::Whole),
            _ => None,
        }
    }

    /// Tests that make faults on the running kernel.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::Cluster)
    }

    /// Tests that wait for a kernel or for an API server.
    fn is_on_real_programs(self) -> bool {
        self.is_live() || self == Self::Apiserver
    }

    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Live => 45 * 60,
            Self::Apiserver | Self::Cluster => 15 * 60,
            // It replays each recording several times.
            Self::Unit => 10 * 60,
            Self::Kernels => return guests::LIMIT,
            _ => 5 * 60,
        })
    }

    /// The arguments with which `program` runs this suite's tests, if it has any.
    ///
    /// Tests that need more than a compiler are ignored by default. Those in the end-to-end program's module
    /// `apiserver` need only a control plane, those in `cluster` and `release` real nodes, those in `arm64` an emulator,
    /// those in `dockerfile` images that it compiled, those in `kernels` a guest; all others are live ones.
    fn arguments(self, program: &Executable) -> Option<&'static [&'static str]> {
        let end_to_end = program.package == "netdiag-e2e" && program.kind == "test";
        match (self, end_to_end) {
            (Self::Unit, _) => Some(&[]),
            // What `cargo xtask kernel-facts` calls is no test of this kernel.
            (Self::Live, false) => Some(&[
                "--ignored",
                "--nocapture",
                "--test-threads=1",
                "--skip=recorded::image::",
            ]),
            (Self::Live, true) => Some(&[
                "--ignored",
                "--nocapture",
                "--test-threads=1",
                "--skip=apiserver::",
                "--skip=kernels::",
                "--skip=cluster::",
                "--skip=arm64::",
                "--skip=dockerfile::",
                "--skip=release::",
            ]),
            (Self::Apiserver, true) => Some(&["apiserver::", "--ignored", "--nocapture"]),
            // By what it leaves out, so that a filter behind it narrows it: names given side by side add up.
            (Self::Cluster, true) => Some(&[
                "--ignored",
                "--nocapture",
                "--test-threads=1",
                "--skip=apiserver::",
                "--skip=kernels::",
                "--skip=live::",
                "--skip=arm64::",
                "--skip=dockerfile::",
            ]),
            (Self::Arm64, true) => Some(&["arm64::", "--ignored", "--nocapture"]),
            (Self::Dockerfile, true) => Some(&[
                "dockerfile::",
                "cluster::images::",
                "--ignored",
                "--nocapture",
            ]),
            _ => None,
        }
    }
}

/// Builds a program of the end-to-end harness, and what it runs; it finds what was set up for the suite.
pub fn program(workspace: &Workspace, name: &str, suite: Suite) -> Result<Command> {
    let packages = ["netdiag-agent", "netdiag-controller", "netdiag-e2e"];
    let built = build::binaries(workspace, &packages)?;
    let mut command = workspace.command(built.required_binary(name)?);
    command.envs(built.environment());
    let ready = |kind| image::ready(workspace, kind, &built);
    let images = suite.images().map(ready).transpose()?;
    let folder = images.as_ref().map(|images| images.folder.as_path());
    command.envs(environment(workspace, suite, folder)?);
    Ok(command)
}

/// The variables by which the end-to-end harness finds what was set up for a suite, and its images.
pub fn environment(
    workspace: &Workspace,
    suite: Suite,
    images: Option<&Path>,
) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut variables = Vec::new();
    if suite.needs().contains(&Need::ControlPlane)
        && let Some(assets) = setup::assets(workspace)?
    {
        variables.push(("KUBEBUILDER_ASSETS", assets));
    }
    if suite.needs().contains(&Need::Nodes) {
        variables.push(("NETDIAG_NODE_PROGRAMS", offline::node_programs(workspace)?));
    }
    if let Some(images) = images {
        variables.push(("NETDIAG_IMAGES", images.to_owned()));
    }
    Ok(variables)
}

/// With the names of tests behind it. What a kernel or an API server does in time depends on what else the machine does,
/// so a test on real ones that fails is tried once more; the table names it.
const SECOND_TRY: [&str; 4] = ["--ignored", "--nocapture", "--test-threads=1", "--exact"];

/// Runs the tests of `suite` with `filter` in their names, program by program; together they have the suite's limit.
/// `prepare` gives each program its environment.
pub fn run(
    workspace: &Workspace,
    suite: Suite,
    filter: &str,
    built: &Built,
    prepare: impl Fn(&mut Command),
) -> Result<Row> {
    let mut row = Row::made(suite.name(), Duration::ZERO, "");
    for program in built.executables.iter().filter(|built| built.is_test) {
        let Some(arguments) = suite.arguments(program) else {
            continue;
        };
        let run = |arguments: &[&str], left| {
            run_program(workspace, suite, program, arguments, &prepare, left)
        };
        let limit = slow::limit(suite.limit());
        let wanted = (!filter.is_empty()).then_some(filter);
        let arguments: Vec<&str> = arguments.iter().copied().chain(wanted).collect();
        let (mut ended, mut counts) = run(&arguments, limit.saturating_sub(row.took))?;
        row.took += ended.took;
        if !ended.success && suite.is_on_real_programs() && !ended.over_limit {
            let names: Vec<&str> = counts.failures.iter().map(String::as_str).collect();
            let again = [&SECOND_TRY[..], &names].concat();
            let (second, passed) = run(&again, limit.saturating_sub(row.took))?;
            row.took += second.took;
            if second.success && passed.passed == names.len() {
                row.note = format!("passed at the second try: {}", names.join(", "));
                counts.passed += counts.failed;
                counts.failed = 0;
                counts.failures.clear();
            }
            ended.over_limit |= second.over_limit;
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

/// Runs one test program; what it counted, at least one failure if it failed.
fn run_program(
    workspace: &Workspace,
    suite: Suite,
    program: &Executable,
    arguments: &[&str],
    prepare: &impl Fn(&mut Command),
    limit: Duration,
) -> Result<(Ended, Counts)> {
    let mut command = workspace.command(&program.path);
    command.args(arguments).current_dir(&program.folder);
    command.env("CARGO_MANIFEST_DIR", &program.folder);
    prepare(&mut command);
    let name = format!("{} {} {}", suite.name(), program.package, program.target);
    let job = Job::new(workspace, &name, command, limit);
    let ended = job.run()?;
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
    Ok((ended, counts))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

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
        assert!(apiserver.contains(&"apiserver::"));
        let cluster = Suite::Cluster.arguments(&end_to_end).unwrap();
        assert!(live.contains(&"--skip=cluster::") && cluster.contains(&"--skip=live::"));
        for suite in [live, cluster] {
            assert!(suite.contains(&"--skip=apiserver::"));
            assert!(suite.contains(&"--skip=kernels::"), "they need a guest");
            assert!(suite.contains(&"--skip=dockerfile::"), "they need images");
        }
        assert!(live.contains(&"--skip=release::") && !cluster.contains(&"--skip=release::"));
        let dockerfile = Suite::Dockerfile.arguments(&end_to_end).unwrap();
        assert!(dockerfile.contains(&"dockerfile::"));
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

    /// Runs a suite of one program that says this the first time, and that when it is asked for only one test.
    fn run_script(suite: Suite, second: &str) -> Row {
        let folder = std::env::temp_dir().join(format!("netdiag-suite-{}", second.len()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("program");
        let script = format!(
            "#!/bin/sh\n[ \"$4\" = --exact ] && {second}\n\
             printf 'failures:\\n    live::x\\n\\n'\n\
             echo 'test result: FAILED. 2 passed; 1 failed; 0 ignored'\nexit 101\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let built = Built {
            fresh: true,
            executables: vec![Executable {
                path,
                ..program("any", "lib")
            }],
            took: Duration::ZERO,
        };
        let workspace = Workspace::find().unwrap();
        let row = run(&workspace, suite, "", &built, |_| {}).unwrap();
        fs::remove_dir_all(folder).unwrap();
        row
    }

    #[test]
    fn a_failure_on_the_running_kernel_is_tried_once_more_and_named() {
        let passes = "echo 'test result: ok. 1 passed; 0 failed' && exit 0";
        let row = run_script(Suite::Live, passes);
        assert_eq!((row.counts.passed, row.counts.failed), (3, 0));
        assert_eq!(row.note, "passed at the second try: live::x");

        for no_pass in [
            "echo 'test result: FAILED. 0 passed; 1 failed' && exit 101",
            "echo 'test result: ok. 0 passed; 0 failed' && exit 0",
        ] {
            let row = run_script(Suite::Live, no_pass);
            assert_eq!((row.counts.passed, row.counts.failed), (2, 1), "{no_pass}");
        }
    }
}
