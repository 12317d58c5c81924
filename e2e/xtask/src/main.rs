//! Automation of this repository. CI and the README run exactly these commands.

mod agent;
mod bench;
mod build;
mod cluster;
mod codegen;
mod compare;
mod demo;
mod dist;
mod fuzz;
mod guests;
mod image;
mod job;
mod kernel_facts;
mod lint;
mod machine;
mod offline;
mod setup;
mod slow;
mod suites;
mod table;
mod test;
mod tests_output;
mod workspace;

use std::env;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, build, test and try netdiag")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Diagnose this host: set up what is missing, build the agent, run it
    Diagnose(agent::DiagnoseArgs),
    /// Show netdiag at work: a private control plane, three faults, one diagnosis
    Demo(demo::DemoArgs),
    /// Run every test suite, or the named ones, and end with a table
    Test(test::TestArgs),
    /// Run the kernel scenarios on stock kernels in QEMU, and end with a table
    TestVm(guests::TestVmArgs),
    /// Build the images of agent and controller as archives, and end with a table
    Image(image::ImageArgs),
    /// Make all that a release page holds, in one folder, and end with a table of its files
    Dist(dist::DistArgs),
    /// Make a draft of a release on GitHub from that folder
    Publish(dist::PublishArgs),
    /// Run a cluster of two real nodes on this machine, to try things on
    Cluster(cluster::ClusterArgs),
    /// Run the suite on a cluster of real nodes, and end with a table
    TestCluster(cluster::TestClusterArgs),
    /// Write the generated files: custom resource definitions, tables of checks and of the chart's values
    Codegen(codegen::CodegenArgs),
    /// Replay every recording with two builds of the agent and show what they find differently
    Compare(compare::CompareArgs),
    /// Measure how the time of a diagnosis grows with its window
    Bench(bench::BenchArgs),
    /// Read what Debian's kernels have of what the agent needs, without booting them, into agent/kernels
    KernelFacts(kernel_facts::KernelFactsArgs),
    /// Feed what comes from outside with inputs of a fuzzer, and end with a table
    Fuzz(fuzz::FuzzArgs),
    /// Check formatting and English, and run clippy
    Lint(lint::LintArgs),
}

fn main() -> ExitCode {
    if env::var_os(fuzz::COMPILES).is_some() {
        return fuzz::compile();
    }
    job::end_jobs_on_ctrl_c();
    let command = Cli::parse().command;
    let result = Workspace::find().and_then(|workspace| {
        workspace.remove_ended_runs();
        match command {
            Command::Diagnose(args) => agent::diagnose(&workspace, &args),
            Command::Demo(args) => demo::demo(&workspace, &args),
            Command::Test(args) => test::test(workspace, &args),
            Command::TestVm(args) => guests::test_vm(&workspace, &args),
            Command::Image(args) => image::image(&workspace, &args),
            Command::Dist(args) => dist::dist(&workspace, &args),
            Command::Publish(args) => dist::publish(&workspace, &args),
            Command::Cluster(args) => cluster::cluster(&workspace, &args),
            Command::TestCluster(args) => cluster::test_cluster(workspace, &args),
            Command::Codegen(args) => codegen::codegen(&workspace, &args),
            Command::Compare(args) => compare::compare(&workspace, &args),
            Command::Bench(args) => bench::bench(&workspace, &args),
            Command::KernelFacts(args) => kernel_facts::kernel_facts(&workspace, &args),
            Command::Fuzz(args) => fuzz::fuzz(&workspace, &args),
            Command::Lint(args) => lint::lint(&workspace, &args),
        }
    });
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
