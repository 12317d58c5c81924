//! `netdiag-controller check-installation`: whether netdiag works in a cluster, in sentences that a person can act
//! upon. The chart's `helm test` runs it with a service account of its own.
//!
//! [`seen`] reads, [`judge`] says what it means and is pure.

mod agents;
mod judge;
mod seen;
mod statement;

use std::{
    io::{self, Write},
    time::Duration,
};

use netdiag_client::connect::{self, client, config};
use tokio::time::{Instant, sleep};

use crate::cli::CheckArgs;
use judge::judge;
use seen::Seen;
use statement::{Statement, Verdict};

/// Time between two looks while something is still wrong.
const AGAIN: Duration = Duration::from_secs(2);

/// The check itself could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No API server.
    #[error(transparent)]
    Client(connect::Error),
    /// Nobody reads.
    #[error("failed to print")]
    Print(#[source] io::Error),
}

/// Prints what is well and what is not; true when nothing is wrong.
///
/// # Errors
/// When there is no way to the API server, or to standard output.
pub async fn check(args: &CheckArgs) -> Result<bool, Error> {
    let config = config(args.kubeconfig.as_deref())
        .await
        .map_err(Error::Client)?;
    let client = client(config).map_err(Error::Client)?;
    let until = Instant::now() + Duration::from_secs(args.wait);
    let statements = loop {
        let statements = judge(&Seen::look(&client, args).await, args);
        if wrong(&statements) == 0 || Instant::now() >= until {
            break statements;
        }
        sleep(AGAIN).await;
    };
    print(&statements).map_err(Error::Print)?;
    Ok(wrong(&statements) == 0)
}

fn wrong(statements: &[Statement]) -> usize {
    let wrong = |statement: &&Statement| statement.verdict == Verdict::Wrong;
    statements.iter().filter(wrong).count()
}

fn print(statements: &[Statement]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for statement in statements {
        writeln!(out, "{statement}")?;
    }
    match wrong(statements) {
        0 => writeln!(out, "netdiag works."),
        1 => writeln!(out, "One thing is wrong with this installation, see above."),
        more => writeln!(
            out,
            "{more} things are wrong with this installation, see above."
        ),
    }
}
