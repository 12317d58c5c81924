//! Raw sockets: ping, and datagrams whose checksum is wrong.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with, sockopt,
};

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(10);
const UDP_HEADER: usize = 8;

#[derive(clap::Args)]
pub(crate) struct PingArgs {
    /// Address to ping.
    address: IpAddr,
    /// Number of pings.
    count: u16,
}

#[derive(clap::Args)]
pub(crate) struct WrongSumArgs {
    /// Address of the receiver.
    address: IpAddr,
    /// Port of the receiver.
    port: u16,
    /// Number of datagrams.
    count: u16,
}

/// Pings, one after the other, and counts the answers.
pub(crate) fn ping(args: &PingArgs) -> Result<()> {
    let socket = open(args.address, ipproto::ICMP, ipproto::ICMPV6)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(LIMIT))?;
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let mut answered = 0_u32;
    for number in 0..args.count {
        let [second, last] = number.to_be_bytes();
        let (kind, answer) = if args.address.is_ipv4() {
            (8, 0)
        } else {
            (128, 129)
        };
        let head = [kind, 0, 0, 0, high, low, second, last];
        let mut packet = [&head[..], &[b'p'; 56]].concat();
        if args.address.is_ipv4() {
            // Of ICMPv6 the kernel makes it.
            let sum = checksum(&packet).to_be_bytes();
            packet[2..4].copy_from_slice(&sum);
        }
        send(&socket, &packet, args.address)?;
        let expected = [answer, high, low, second, last];
        answered += u32::from(has_answer(&socket, args.address.is_ipv4(), expected));
    }
    println!("asked={} answered={answered}", args.count);
    Ok(())
}

/// Sends datagrams with wrong checksums, each another one.
pub(crate) fn send_wrong_sums(args: &WrongSumArgs) -> Result<()> {
    let socket = open(args.address, ipproto::UDP, ipproto::UDP)?;
    for number in 0..args.count {
        let payload = [b'a' + (number % 26) as u8; 40];
        let length = (UDP_HEADER + payload.len()) as u16;
        let sum = 0x1234_u16.wrapping_add(number.wrapping_mul(0x3b0d));
        let header = [40_000, args.port, length, sum].map(u16::to_be_bytes);
        let datagram = [header.as_flattened(), &payload].concat();
        send(&socket, &datagram, args.address)?;
    }
    println!("sent={}", args.count);
    Ok(())
}

fn open(address: IpAddr, v4: Protocol, v6: Protocol) -> Result<OwnedFd> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, v4),
        IpAddr::V6(_) => (AddressFamily::INET6, v6),
    };
    let flags = SocketFlags::CLOEXEC;
    socket_with(family, SocketType::RAW, flags, Some(protocol))
        .context("failed to open a raw socket")
}

fn send(socket: &OwnedFd, packet: &[u8], to: IpAddr) -> Result<()> {
    let to = SocketAddr::new(to, 0);
    sendto(socket, packet, SendFlags::empty(), &to).context("failed to send")?;
    Ok(())
}

/// Waits for an answer of this type, identifier and number among all that the socket receives.
fn has_answer(socket: &OwnedFd, is_ipv4: bool, expected: [u8; 5]) -> bool {
    let end = Instant::now() + LIMIT;
    let mut buffer = [0; 1500];
    while Instant::now() < end {
        let Ok((_, length)) = recv(socket, &mut buffer[..], RecvFlags::empty()) else {
            return false;
        };
        // Only IPv4 comes with its header.
        let start = if is_ipv4 {
            usize::from(buffer[0] & 0xf) * 4
        } else {
            0
        };
        if let Some([kind, _, _, _, rest @ ..]) = buffer[..length].get(start..start + 8)
            && *kind == expected[0]
            && *rest == expected[1..]
        {
            return true;
        }
    }
    false
}

/// The Internet checksum (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
