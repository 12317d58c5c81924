//! Log lines, on stderr.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The settings of the log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Form of the log lines on stderr
    #[arg(long, env = "NETDIAG_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    // kube's client logs each failed request; its caller logs it too, with what it was for.
    /// The level to log (error, warn, info, debug, trace), or targets with levels
    #[arg(
        long,
        env = "NETDIAG_LOG",
        value_name = "FILTER",
        default_value = "info,kube_client::client::builder=off"
    )]
    pub log: String,
}

/// Forms of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for collectors
    Json,
}

/// The filter does not parse.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the log filter {filter:?}; an example is \"info,kube=warn\"")]
pub struct BadFilter {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

impl LogArgs {
    /// Logs from now on; a process does so once.
    ///
    /// # Errors
    /// When the filter is not a list of targets and levels.
    pub fn start(&self) -> Result<(), BadFilter> {
        let env_filter = EnvFilter::try_new(&self.log).map_err(|source| BadFilter {
            filter: self.log.clone(),
            source,
        })?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(env_filter)
            .with_ansi(io::stderr().is_terminal())
            .with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => builder.init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named_and_an_example_is_given() {
        let args = LogArgs {
            log_format: LogFormat::Text,
            log: "netdiag=loud".to_owned(),
        };
        let error = args.start().unwrap_err().to_string();
        assert!(
            error.contains("netdiag=loud") && error.contains("info,kube=warn"),
            "{error}"
        );
    }
}
