//! Logging to stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// The filter does not parse.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the log filter {filter:?}; an example is \"info,kube=warn\"")]
pub struct BadFilter {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging; a process does so once.
///
/// # Errors
/// When `filter` is not a list of targets and levels.
pub fn init(format: LogFormat, filter: &str) -> Result<(), BadFilter> {
    let env_filter = EnvFilter::try_new(filter).map_err(|source| BadFilter {
        filter: filter.to_owned(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(env_filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
