//! traceroute: datagrams with hop limits in turn, each to a port of its own.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::sockopt;

/// First port that traceroute sends to.
const FIRST_PORT: u16 = 33434;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to trace.
    address: IpAddr,
    /// Largest hop limit.
    #[arg(long, default_value_t = 3)]
    hops: u8,
    /// Datagrams with each hop limit.
    #[arg(long, default_value_t = 3)]
    probes: u16,
}

/// Sends the datagrams.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut port = FIRST_PORT;
    for hops in 1..=args.hops {
        for _ in 0..args.probes {
            let socket = socket(args.address, hops)?;
            let to = SocketAddr::new(args.address, port);
            socket.send_to(&[0; 32], to).context("failed to send")?;
            port += 1;
            thread::sleep(Duration::from_millis(20));
        }
    }
    println!("sent={}", port - FIRST_PORT);
    Ok(())
}

fn socket(address: IpAddr, hops: u8) -> Result<UdpSocket> {
    let open = "failed to open a socket";
    Ok(match address {
        IpAddr::V4(_) => {
            let socket = UdpSocket::bind(("0.0.0.0", 0)).context(open)?;
            socket.set_ttl(hops.into())?;
            socket
        }
        IpAddr::V6(_) => {
            let socket = UdpSocket::bind(("::", 0)).context(open)?;
            sockopt::set_ipv6_unicast_hops(&socket, Some(hops))?;
            socket
        }
    })
}
