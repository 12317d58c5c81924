//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Assigns network diagnoses to nodes and rolls up what their agents report.
#[derive(Debug, Parser)]
#[command(name = "netdiag-controller", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the NodeNetDiagnosis and NodeNetReport resources until SIGINT or SIGTERM
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  In a cluster, with the pod's service account:
    netdiag-controller run --log-format json

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

    /// How to write the log on stderr
    #[arg(long, env = "NETDIAG_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What to log: a level (error, warn, info, debug, trace), or targets with levels
    #[arg(
        long,
        env = "NETDIAG_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for collectors
    Json,
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
        let Command::Run(args) = Cli::try_parse_from(["netdiag-controller", "run"])
            .expect("run alone is a whole command")
            .command;
        assert_eq!(args.kubeconfig, None);
    }
}
