//! A program that polls an address, whether anybody has it or not.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to poll.
    address: IpAddr,
    /// Port to poll.
    port: u16,
    /// Number of polls.
    count: u32,
    /// Milliseconds between two.
    #[arg(long, default_value_t = 100)]
    gap_ms: u64,
}

/// Polls from one socket.
pub(crate) fn run(args: &Args) -> Result<()> {
    let any: IpAddr = match args.address {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0_u16; 8].into(),
    };
    let socket = UdpSocket::bind((any, 0)).context("failed to open a socket")?;
    learn_of_errors(&socket, args.address.is_ipv4())?;
    let to = SocketAddr::new(args.address, args.port);
    socket.connect(to).context("failed to choose an address")?;
    socket.set_nonblocking(true)?;
    let (mut unreachable, mut answered) = (0_u32, 0_u32);
    for _ in 0..args.count {
        unreachable += u32::from(is_unreachable(&socket.send(b"are you there?")));
        thread::sleep(Duration::from_millis(args.gap_ms));
        let received = socket.recv(&mut [0; 64]);
        unreachable += u32::from(is_unreachable(&received));
        answered += u32::from(received.is_ok());
    }
    println!(
        "asked={} answered={answered} unreachable={unreachable}",
        args.count
    );
    Ok(())
}

/// Has the kernel tell the socket at once of each ICMP error.
#[expect(unsafe_code, reason = "the standard library has no such option")]
fn learn_of_errors(socket: &UdpSocket, is_ipv4: bool) -> Result<()> {
    let (level, option) = if is_ipv4 {
        (libc::IPPROTO_IP, libc::IP_RECVERR)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    };
    let on: libc::c_int = 1;
    // SAFETY: `on` is an int of the length given.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(&on).cast(),
            size_of_val(&on) as u32,
        )
    };
    ensure!(set == 0, "failed to ask for ICMP errors");
    Ok(())
}

fn is_unreachable(result: &io::Result<usize>) -> bool {
    let kinds = [ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable];
    result
        .as_ref()
        .is_err_and(|error| kinds.contains(&error.kind()))
}
