//! A member of a multicast group.

use std::{
    net::{IpAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

#[derive(clap::Args)]
pub(crate) struct ReceiveArgs {
    /// The group.
    group: IpAddr,
    /// Port to receive on.
    port: u16,
    /// The place to join: an address of the interface for an IPv4 group, the interface's index for an IPv6 group.
    #[arg(long, required = true)]
    on: Vec<String>,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Receives and counts.
pub(crate) fn receive(args: &ReceiveArgs) -> Result<()> {
    let socket = UdpSocket::bind((args.group, args.port)).context("failed to bind")?;
    for place in &args.on {
        join(&socket, args.group, place)
            .with_context(|| format!("failed to join {} on {place}", args.group))?;
    }
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut buffer = [0; 65_536];
    let mut received = 0_u64;
    while Instant::now() < end {
        received += u64::from(socket.recv(&mut buffer).is_ok());
    }
    println!("received={received}");
    Ok(())
}

fn join(socket: &UdpSocket, group: IpAddr, place: &str) -> Result<()> {
    match group {
        IpAddr::V4(group) => socket.join_multicast_v4(&group, &place.parse()?)?,
        IpAddr::V6(group) => socket.join_multicast_v6(&group, place.parse()?)?,
    }
    Ok(())
}
