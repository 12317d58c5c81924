//! The controller's program; see `netdiag-controller --help`.

use anyhow::anyhow;
use clap::Parser;
use netdiag_controller::{
    cli::{Cli, Command},
    run,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { command } = Cli::parse();
    match command {
        Command::Run(args) => {
            rustls::crypto::ring::default_provider()
                .install_default()
                .map_err(|_| anyhow!("failed to install the TLS provider: another one is there"))?;
            args.logs.start()?;
            run::run(&args).await?;
        }
    }
    Ok(())
}
