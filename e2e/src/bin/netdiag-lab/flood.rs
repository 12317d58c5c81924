//! A flood of SYNs that nobody follows up: hosts behind a TUN device ask for connections and never answer.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::packet_socket::wait;
use crate::segments::{Received, SYN, Segment, host_of};
use crate::tun::Tun;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// TUN device to make.
    pub(crate) device: String,
    /// Addresses of the server, separated by commas.
    #[arg(value_delimiter = ',', required = true)]
    pub(crate) servers: Vec<IpAddr>,
    /// Port of the server.
    pub(crate) port: u16,
    /// The number of segments to each address.
    #[arg(long)]
    pub(crate) count: u16,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
}

/// Floods once for each datagram that is routed to the device, from the network that the datagram was sent to, and
/// takes whatever answers come.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut first_port = 20_000;
    args.answer(|tun, received| {
        let Received::Datagram(network) = received else {
            return Ok(());
        };
        let servers = args.servers.iter();
        for server in servers.filter(|server| server.is_ipv4() == network.is_ipv4()) {
            for port in first_port..first_port + args.count {
                let syn = Segment {
                    from: host_of(network),
                    to: *server,
                    ports: [port, args.port],
                    sequence: 1,
                    acknowledgement: 0,
                    flags: SYN,
                    payload: b"",
                };
                tun.send(&syn.packet()?).context("failed to send a SYN")?;
            }
        }
        first_port += args.count;
        Ok(())
    })
}

impl Args {
    /// Makes the device and has each packet answered that the kernel sends out on it, until the time is over.
    pub(crate) fn answer(
        &self,
        mut answer: impl FnMut(&Tun, Received) -> Result<()>,
    ) -> Result<()> {
        let tun = Tun::open(&self.device, false, false, 0)?;
        println!("ready=1");
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let mut buffer = [0; 2000];
        while Instant::now() < end {
            wait(&[tun.as_fd()]);
            // An error is a device that is not up yet.
            while let Ok(Some(length)) = tun.receive(&mut buffer) {
                if let Some(received) = Received::read(&buffer[..length]) {
                    answer(&tun, received)?;
                }
            }
        }
        Ok(())
    }
}
