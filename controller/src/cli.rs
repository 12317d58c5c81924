//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use netdiag_telemetry::{logs::LogArgs, server::ServeArgs};

/// Assigns network diagnoses to nodes and rolls up what their agents report.
#[derive(Debug, Parser)]
#[command(name = "netdiag-controller", version)]
pub struct Cli {
    /// The thing to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The program's commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the NodeNetDiagnosis and NodeNetReport resources until SIGINT or SIGTERM
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Say in sentences whether netdiag works in this cluster, and fail if it does not
    CheckInstallation(CheckArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  In a cluster, with the pod's service account:
    netdiag-controller run --log-format json --lease-namespace netdiag-system --listen 0.0.0.0:9464

  On a workstation, against the cluster that kubectl talks to:
    netdiag-controller run

  Against another one, with details of every pass:
    NETDIAG_LOG=netdiag_controller=debug netdiag-controller run --kubeconfig ~/test.kubeconfig";

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// File with the API server's address and credentials; without it $KUBECONFIG, ~/.kube/config or the pod's service
    /// account
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Work only while holding the lease in this namespace, so that replicas take turns [default: work at once, without
    /// a lease]
    #[arg(long, env = "NETDIAG_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// DaemonSet of the agents in the namespace of the lease: `nodes.all` selects the nodes where it puts a pod
    /// [default: every Linux node]
    #[arg(
        long,
        env = "NETDIAG_AGENTS",
        value_name = "NAME",
        requires = "lease_namespace"
    )]
    pub agents: Option<String>,

    /// Release of Helm that the lease belongs to, so that Helm takes over a lease that this program made
    #[arg(
        long,
        env = "NETDIAG_HELM_RELEASE",
        value_name = "NAME",
        requires = "lease_namespace"
    )]
    pub helm_release: Option<String>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "the struct says it")]
    pub logs: LogArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "the struct says it")]
    pub serve: ServeArgs,
}

/// Flags of `check-installation`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// File with the API server's address and credentials; without it $KUBECONFIG, ~/.kube/config or the pod's service
    /// account
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace in which netdiag is installed
    #[arg(long, default_value = "netdiag-system")]
    pub namespace: String,

    /// The agents' DaemonSet
    #[arg(long, value_name = "NAME", default_value = "netdiag-agent")]
    pub agents: String,

    /// The controller's Deployment
    #[arg(long, value_name = "NAME", default_value = "netdiag-controller")]
    pub controller: String,

    /// Seconds to look again until all is well
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_needs_no_flags() {
        let cli = Cli::try_parse_from(["netdiag-controller", "run"]);
        let command = cli.expect("run by itself is a whole command").command;
        assert!(matches!(command, Command::Run(args) if args.kubeconfig.is_none()));
    }
}
