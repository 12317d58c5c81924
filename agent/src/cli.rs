//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use netdiag_diagnosis::{Settings, SettingsError, causes::CHECKS, finding::Severity};
use netdiag_telemetry::{logs::LogArgs, server::ServeArgs};

/// Longest window that `--duration` takes, in seconds: that of `spec.once.durationSeconds`.
const MAX_SECONDS: u64 = 3600;

/// Finds out why this node's network stack drops packets.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The programs of this binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host for a while and say what was dropped, why, and what ends it. Needs no cluster
    Diagnose(DiagnoseArgs),
    /// Show stored reports as `diagnose` shows what it finds. Needs no cluster
    Show(ShowArgs),
    /// Work on the diagnoses that a cluster assigns to this node
    Run(RunArgs),
}

/// The arguments of `diagnose`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netdiag-agent diagnose                                      everything, for 35 s
  netdiag-agent diagnose --duration 2m --interfaces 'eth*,bond0'
  netdiag-agent diagnose -o yaml --fail-on warning            for scripts: 3 found, 4 could not look
  netdiag-agent diagnose --record node-17.json.gz             keep the evidence
  netdiag-agent diagnose --record public.json.gz --anonymise  keep it without names and addresses
  netdiag-agent diagnose --replay node.json.gz --record public.json.gz --anonymise  the same of an older one
  netdiag-agent diagnose --replay node-17.json.gz -o wide     the same elsewhere, without root

A window lasts 35 s because LLDP comes every 30 s, and a failed reassembly shows after 30 s.
Ctrl-C ends it early. A recording holds addresses and parts of packets, unless --anonymise
replaces them.
Results go to stdout, progress to stderr.

Exit status:
  0  it ran, and --fail-on was not asked or not met
  1  it could not run
  2  wrong usage
  3  --fail-on was met: a finding is that bad or worse
  4  --fail-on was not met, but there is no verdict: --interfaces matched none,
     the drop probe could not be loaded, or the window was ended early
Without --fail-on a run that gives no verdict ends with 0; its first sentence says why.")]
pub struct DiagnoseArgs {
    /// The time to watch: 35, 35s or 2m; at most 1h
    #[arg(long, default_value = "35s", value_parser = parse_duration, value_name = "TIME")]
    pub duration: Duration,
    /// Checks to report, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "CHECK", value_parser = check_names())]
    pub checks: Vec<String>,
    /// Interfaces of the host to report, as globs separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "GLOB", value_parser = parse_glob)]
    pub interfaces: Vec<String>,
    /// Report no finding below this
    #[arg(long, value_enum, ignore_case = true, default_value_t = SeverityName::Info, value_name = "SEVERITY")]
    pub min_severity: SeverityName,
    /// The mount point of the host's root
    #[arg(long, default_value = "/", value_name = "FOLDER")]
    pub host_root: PathBuf,
    /// Form of the result
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Write the evidence to this file too, compressed if its name ends with .gz
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Replace names and addresses in the recording, and blank what packets carried
    #[arg(long, requires = "record")]
    pub anonymise: bool,
    /// Diagnose this recording instead of the host
    #[arg(long, value_name = "FILE", conflicts_with_all = ["duration", "host_root"])]
    pub replay: Option<PathBuf>,
    /// Exit with status 3 when a finding is this bad or worse, with 4 when the run gives no verdict
    #[arg(long, value_enum, ignore_case = true, value_name = "SEVERITY")]
    pub fail_on: Option<SeverityName>,
}

/// The arguments of `show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netdiag-agent diagnose -o yaml > node-17.yaml; netdiag-agent show node-17.yaml
  kubectl get nnr node-17 -o yaml | netdiag-agent show - -o wide
  kubectl get nnr -o json | netdiag-agent show - --diagnosis rx-dropped     every node")]
pub struct ShowArgs {
    /// A NodeNetReport or a list of them, as JSON or YAML; - reads stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Show only the results of this NodeNetDiagnosis [default: all]
    #[arg(long, value_name = "NAME")]
    pub diagnosis: Option<String>,
    /// Form of the text
    #[arg(long, short, value_enum, default_value_t = TextOutput::Table)]
    pub output: TextOutput,
}

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netdiag-agent run --host-root /host                    in a DaemonSet; NODE_NAME is spec.nodeName
  netdiag-agent run --node-name node-17 --kubeconfig ~/.kube/config
  NETDIAG_LOG=netdiag_agent=debug netdiag-agent run --node-name node-17      details of every window")]
pub struct RunArgs {
    /// The name of this node's Node object
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: String,
    /// The mount point of the host's root
    #[arg(long, default_value = "/", value_name = "FOLDER")]
    pub host_root: PathBuf,
    /// The file that says how to reach the API server [default: KUBECONFIG, ~/.kube/config or the pod's service
    /// account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the struct says it")]
    pub logs: LogArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the struct says it")]
    pub serve: ServeArgs,
}

/// Forms of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// The same with ids, times and documentation
    Wide,
    /// One NodeNetReport
    Json,
    /// One NodeNetReport
    Yaml,
}

/// Forms of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOutput {
    /// For people
    Table,
    /// The same with ids, times and documentation
    Wide,
}

/// Severities as the command line spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeverityName {
    /// Nobody must act
    Info,
    /// Packets are lost or late, or something fails that is not this node's fault
    Warning,
    /// Connections fail, or more than 1 % of the packets are lost
    Critical,
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Info => Self::Info,
            SeverityName::Warning => Self::Warning,
            SeverityName::Critical => Self::Critical,
        }
    }
}

fn check_names() -> PossibleValuesParser {
    PossibleValuesParser::new(CHECKS.iter().map(|check| check.name))
}

fn parse_glob(text: &str) -> Result<String, SettingsError> {
    let glob = text.to_owned();
    Settings::new(
        Vec::new(),
        std::slice::from_ref(&glob),
        &[],
        true,
        Severity::Info,
    )?;
    Ok(glob)
}

#[derive(Debug, thiserror::Error)]
#[error("give 1s to 1h, such as 35, 35s or 2m")]
struct DurationError;

fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..) {
        Some("" | "s") => Some(1),
        Some("m") => Some(60),
        Some("h") => Some(3600),
        _ => None,
    };
    digits
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(count, factor)| count.checked_mul(factor))
        .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
        .map(Duration::from_secs)
        .ok_or(DurationError)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["netdiag-agent"].iter().chain(arguments))
    }

    fn diagnose_args(arguments: &[&str]) -> DiagnoseArgs {
        let all: Vec<&str> = ["diagnose"].iter().chain(arguments).copied().collect();
        match parse(&all).unwrap().command {
            Command::Diagnose(args) => args,
            other => panic!("{other:?} was not asked for"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_take_units_and_are_bounded() {
        let seconds = |text| diagnose_args(&["--duration", text]).duration.as_secs();
        assert_eq!(seconds("35"), 35);
        assert_eq!(seconds("35s"), 35);
        assert_eq!(seconds("2m"), 120);
        assert_eq!(seconds("1h"), 3600);
        for wrong in [
            "0",
            "2h",
            "3601",
            "-1",
            "5d",
            "s",
            "1e3",
            "1.5s",
            "9999999999999999999m",
            "5µs",
        ] {
            let argument = format!("--duration={wrong}");
            let error = parse(&["diagnose", &argument]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ValueValidation, "{wrong}");
            assert_eq!(error.exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn severities_are_taken_in_any_case() {
        for text in ["Warning", "warning", "WARNING"] {
            let args = diagnose_args(&["--fail-on", text]);
            assert_eq!(args.fail_on, Some(SeverityName::Warning));
        }
    }

    #[test]
    fn the_help_says_what_each_exit_status_means() {
        let mut command = Cli::command();
        let diagnose = command.find_subcommand_mut("diagnose").unwrap();
        let help = diagnose.render_long_help().to_string();
        for status in ["\n  0  ", "\n  1  ", "\n  2  ", "\n  3  ", "\n  4  "] {
            assert!(help.contains(status), "{status:?}: {help}");
        }
        let longest = help.lines().map(str::len).max();
        assert!(longest <= Some(100), "wrapped by hand: {help}");
    }

    #[test]
    fn a_replay_refuses_what_it_cannot_heed() {
        for other in [["--duration", "5s"], ["--host-root", "/x"]] {
            let arguments = ["diagnose", "--replay", "r.json", other[0], other[1]];
            assert_eq!(
                parse(&arguments).unwrap_err().kind(),
                ErrorKind::ArgumentConflict
            );
        }
    }

    #[test]
    fn only_a_recording_can_be_anonymised() {
        let error = parse(&["diagnose", "--anonymise"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
        assert!(diagnose_args(&["--record", "r.json", "--anonymise"]).anonymise);
        let older = ["--replay", "r.json", "--record", "s.json", "--anonymise"];
        assert!(diagnose_args(&older).replay.is_some());
    }

    #[test]
    fn unknown_checks_and_bad_globs_are_wrong_usage() {
        let unknown = parse(&["diagnose", "--checks", "Promiscuty"]).unwrap_err();
        assert_eq!(unknown.exit_code(), 2);
        assert!(unknown.to_string().contains("Promiscuity"), "{unknown}");
        let bad = parse(&["diagnose", "--interfaces", "eth["]).unwrap_err();
        assert_eq!(bad.exit_code(), 2);
        assert!(bad.to_string().contains("allowed are"), "{bad}");
    }

    #[test]
    fn the_documented_forms_are_understood() {
        let args = diagnose_args(&[
            "--checks",
            "Promiscuity",
            "--interfaces",
            "eth*,bond0",
            "-o",
            "yaml",
        ]);
        assert_eq!(args.checks, ["Promiscuity"]);
        assert_eq!(args.interfaces, ["eth*", "bond0"]);
        assert_eq!(args.output, Output::Yaml);
        let show = parse(&["show", "-", "--diagnosis", "a", "-o", "wide"]).unwrap();
        assert!(matches!(show.command, Command::Show(args) if args.output == TextOutput::Wide));
        assert!(parse(&["run", "--node-name", "n", "--log-format", "json"]).is_ok());
    }
}
