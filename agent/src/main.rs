//! Command line of the node agent.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use netdiag_agent::{
    causes::causes,
    cli::{Cli, Command},
    diagnose::{self, Gate},
    run, show,
};
use netdiag_diagnosis::text::printable;

/// `--fail-on` was met. (2 is clap's, for wrong usage.)
const FAIL_ON_MET: u8 = 3;
/// `--fail-on` was asked and not met, and the diagnosis could not look.
const COULD_NOT_LOOK: u8 = 4;

fn main() -> ExitCode {
    match start(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("netdiag-agent: {}", printable(&causes(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> anyhow::Result<ExitCode> {
    // One thread: windows run on threads of their own, and between windows there is next to nothing to do.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the async runtime")?;
    match command {
        Command::Diagnose(args) => Ok(match runtime.block_on(diagnose::run(args))? {
            Gate::Passed => ExitCode::SUCCESS,
            Gate::Failed => ExitCode::from(FAIL_ON_MET),
            Gate::Blind => ExitCode::from(COULD_NOT_LOOK),
        }),
        Command::Show(args) => {
            show::run(args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(args) => {
            args.logs.start()?;
            // Two crates of the tree bring a provider each, so rustls cannot choose by itself. It fails only when one
            // is installed already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let ended = runtime.block_on(run::run(args));
            // Not to wait for a thread that still reads.
            runtime.shutdown_background();
            ended?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
