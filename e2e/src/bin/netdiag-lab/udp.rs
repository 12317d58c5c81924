//! UDP: a sender, and a receiver that reads at once or polls first.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::ValueEnum;

#[derive(clap::Args)]
pub(crate) struct SendArgs {
    /// Address of the receiver.
    address: IpAddr,
    /// Port of the receiver.
    port: u16,
    /// How many.
    count: u32,
    /// Payload bytes of each.
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Milliseconds between two.
    #[arg(long, default_value_t = 10)]
    gap_ms: u64,
}

#[derive(clap::Args)]
pub(crate) struct ReceiveArgs {
    /// Address to receive on.
    address: IpAddr,
    /// Port to receive on.
    port: u16,
    /// How to wait for a datagram: the kernel verifies its checksum in another function for each.
    #[arg(long, value_enum, default_value_t = Waiting::Recv)]
    with: Waiting,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Waiting {
    Recv,
    Poll,
}

/// Sends datagrams that all differ.
pub(crate) fn send(args: &SendArgs) -> Result<()> {
    let any: IpAddr = if args.address.is_ipv4() {
        [0; 4].into()
    } else {
        [0_u16; 8].into()
    };
    let socket = UdpSocket::bind((any, 0)).context("failed to open a socket")?;
    let to = SocketAddr::new(args.address, args.port);
    let mut sent = 0;
    for number in 0..args.count {
        let mut payload = vec![b'a' + (number % 26) as u8; args.size];
        payload[..args.size.min(4)].copy_from_slice(&number.to_be_bytes()[..args.size.min(4)]);
        // An earlier datagram's ICMP error shows here; the datagram itself is judged by the receiver.
        sent += u32::from(socket.send_to(&payload, to).is_ok());
        thread::sleep(Duration::from_millis(args.gap_ms));
    }
    println!("sent={sent}");
    Ok(())
}

/// Receives and counts.
pub(crate) fn receive(args: &ReceiveArgs) -> Result<()> {
    let socket = UdpSocket::bind((args.address, args.port)).context("failed to bind")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut buffer = [0; 65_536];
    let mut received = 0_u64;
    while Instant::now() < end {
        if args.with == Waiting::Poll && !can_be_read(&socket) {
            continue;
        }
        received += u64::from(socket.recv(&mut buffer).is_ok());
    }
    println!("received={received}");
    Ok(())
}

#[expect(unsafe_code, reason = "the standard library has no poll")]
fn can_be_read(socket: &UdpSocket) -> bool {
    let mut watched = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `watched` is one pollfd.
    unsafe { libc::poll(&raw mut watched, 1, 100) > 0 }
}
