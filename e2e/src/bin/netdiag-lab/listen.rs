//! The addresses of a server, and the time for which it listens.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct ListenArgs {
    /// Addresses to listen on, separated by commas.
    #[arg(value_delimiter = ',', required = true)]
    pub(crate) addresses: Vec<IpAddr>,
    /// Port to listen on.
    pub(crate) port: u16,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
}

impl ListenArgs {
    /// Says that the server is ready, and waits for the end of its time.
    pub(crate) fn stay(&self) {
        println!("ready=1");
        thread::sleep(Duration::from_secs(self.seconds));
    }
}
