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
    /// Ports of the receiver, separated by commas.
    #[arg(value_delimiter = ',', required = true)]
    ports: Vec<u16>,
    /// The number of datagrams of each size to each port.
    count: u32,
    /// Payload bytes of each; several sizes separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "200")]
    size: Vec<usize>,
    /// Milliseconds between two.
    #[arg(long, default_value_t = 10)]
    gap_ms: u64,
}

#[derive(clap::Args)]
pub(crate) struct ReceiveArgs {
    /// Addresses to receive on, separated by commas.
    #[arg(value_delimiter = ',', required = true)]
    addresses: Vec<IpAddr>,
    /// Port to receive on.
    port: u16,
    /// The way to wait for a datagram: the kernel verifies its checksum in another function for each.
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

/// Sends datagrams that all differ, to one port after the other.
pub(crate) fn send(args: &SendArgs) -> Result<()> {
    let any: IpAddr = if args.address.is_ipv4() {
        [0; 4].into()
    } else {
        [0_u16; 8].into()
    };
    let socket = UdpSocket::bind((any, 0)).context("failed to open a socket")?;
    let bursts = args
        .ports
        .iter()
        .flat_map(|port| args.size.iter().map(move |size| (*port, *size)));
    println!("ready=1");
    let mut sent = 0;
    for (port, size) in bursts {
        let to = SocketAddr::new(args.address, port);
        for number in 0..args.count {
            let mut payload = vec![b'a' + (number % 26) as u8; size];
            payload[..size.min(4)].copy_from_slice(&number.to_be_bytes()[..size.min(4)]);
            // An earlier datagram's ICMP error shows here; the datagram itself is judged by the receiver.
            sent += u32::from(socket.send_to(&payload, to).is_ok());
            thread::sleep(Duration::from_millis(args.gap_ms));
        }
    }
    println!("sent={sent}");
    Ok(())
}

/// Receives and counts.
pub(crate) fn receive(args: &ReceiveArgs) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut receivers = Vec::new();
    for address in &args.addresses {
        let socket = UdpSocket::bind((*address, args.port)).context("failed to bind")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let with = args.with;
        receivers.push(thread::spawn(move || receive_until(end, &socket, with)));
    }
    println!("ready=1");
    let received: u64 = receivers
        .into_iter()
        .map(|receiver| receiver.join().unwrap_or(0))
        .sum();
    println!("received={received}");
    Ok(())
}

fn receive_until(end: Instant, socket: &UdpSocket, with: Waiting) -> u64 {
    let mut buffer = vec![0; 65_536];
    let mut received = 0;
    while Instant::now() < end {
        if with == Waiting::Poll && !can_be_read(socket) {
            continue;
        }
        received += u64::from(socket.recv(&mut buffer).is_ok());
    }
    received
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
