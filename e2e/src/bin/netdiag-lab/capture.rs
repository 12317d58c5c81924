//! A capture: one promiscuous packet socket.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::packet_socket::{ETH_P_ALL, PacketSocket, wait};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Device to listen on.
    device: String,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Listens and counts.
pub(crate) fn run(args: &Args) -> Result<()> {
    let socket = PacketSocket::open(&args.device, ETH_P_ALL)?;
    socket.listen_promiscuously()?;
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut buffer = vec![0; 70_000];
    let mut captured = 0_u64;
    while Instant::now() < end {
        wait(&[&socket]);
        while socket.receive(&mut buffer)?.is_some() {
            captured += 1;
        }
    }
    println!("captured={captured}");
    Ok(())
}
