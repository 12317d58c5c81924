//! The controller's program; see `netdiag-controller --help`.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use netdiag_controller::{
    check,
    cli::{Cli, Command},
    serve,
};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Cli { command } = Cli::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("failed to install the TLS provider: another one is there"))?;
    match command {
        Command::Run(args) => {
            args.logs.start()?;
            serve::serve(&args).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::CheckInstallation(args) => Ok(if check::check(&args).await? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }),
    }
}
