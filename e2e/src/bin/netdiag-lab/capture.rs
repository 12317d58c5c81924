//! A capture: one packet socket, promiscuous unless told otherwise.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::frames::hexadecimal;
use crate::packet_socket::{PacketSocket, wait};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Device to listen on; `any` for all of them.
    device: String,
    /// EtherType to listen for, hexadecimal; 3 is every protocol.
    #[arg(long, default_value = "3", value_parser = hexadecimal)]
    ethertype: u16,
    /// Leave the device's filter alone, as `tcpdump -p` and daemons do.
    #[arg(long)]
    plain: bool,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Listens and counts.
pub(crate) fn run(args: &Args) -> Result<()> {
    let socket = PacketSocket::open(&args.device, args.ethertype)?;
    if !args.plain {
        socket.listen_promiscuously()?;
    }
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut buffer = vec![0; 70_000];
    let mut captured = 0_u64;
    while Instant::now() < end {
        wait(&[socket.as_fd()]);
        while socket.receive(&mut buffer)?.is_some() {
            captured += 1;
        }
    }
    println!("captured={captured}");
    Ok(())
}
