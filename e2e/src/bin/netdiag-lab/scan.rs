//! A scan of ports: one attempt at each.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result};

/// Longer than any refusal takes to come back.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to scan.
    address: IpAddr,
    /// First port.
    first: u16,
    /// Number of ports.
    count: u16,
    /// Send a datagram to each port instead of opening a connection.
    #[arg(long)]
    udp: bool,
}

/// Tries each port once.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (mut asked, mut refused) = (0_u32, 0_u32);
    for port in args.first..args.first + args.count {
        let to = SocketAddr::new(args.address, port);
        asked += 1;
        if args.udp {
            // The refusals' rate is limited, so the kernel's counter is the proof.
            send(to)?;
        } else if let Err(error) = TcpStream::connect_timeout(&to, LIMIT) {
            refused += u32::from(error.kind() == ErrorKind::ConnectionRefused);
        }
    }
    println!("asked={asked} refused={refused}");
    Ok(())
}

fn send(to: SocketAddr) -> Result<()> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0_u16; 8].into(),
    };
    let socket = UdpSocket::bind((any, 0)).context("failed to open a socket")?;
    socket.send_to(b"?", to).context("failed to send")?;
    Ok(())
}
