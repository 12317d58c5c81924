//! Small requests as of a resolver, and a server that answers them.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::listen::ListenArgs;

/// Bytes of a request; an answer repeats it.
const LENGTH: usize = 100;

#[derive(clap::Args)]
pub(crate) struct AskArgs {
    /// Address of the server.
    address: IpAddr,
    /// Port of the server.
    port: u16,
    /// The number of requests.
    count: u32,
    /// Ask the next address each time.
    #[arg(long)]
    spread: bool,
    /// Milliseconds to wait for an answer.
    #[arg(long, default_value_t = 0)]
    wait_ms: u64,
}

/// Answers each request.
pub(crate) fn answer(args: &ListenArgs) -> Result<()> {
    for address in &args.addresses {
        let socket = UdpSocket::bind((*address, args.port)).context("failed to bind")?;
        thread::spawn(move || {
            let mut buffer = [0; LENGTH];
            loop {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    // Who has stopped waiting is no matter of the server's.
                    let _ = socket.send_to(&buffer[..length], from);
                }
            }
        });
    }
    args.stay();
    Ok(())
}

/// Asks, each time from a port of its own as resolvers do.
pub(crate) fn ask(args: &AskArgs) -> Result<()> {
    let (mut asked, mut answered) = (0_u32, 0_u32);
    for number in 0..args.count {
        let address = if args.spread {
            nth_after(args.address, number)
        } else {
            args.address
        };
        let any: IpAddr = match address {
            IpAddr::V4(_) => [0; 4].into(),
            IpAddr::V6(_) => [0_u16; 8].into(),
        };
        let socket = UdpSocket::bind((any, 0)).context("failed to open a socket")?;
        // What the kernel refuses at once is judged by its counters.
        let sent = socket.send_to(&[b'?'; LENGTH], SocketAddr::new(address, args.port));
        asked += u32::from(sent.is_ok());
        if args.wait_ms > 0 {
            answered += u32::from(has_answer(&socket, Duration::from_millis(args.wait_ms))?);
        }
    }
    println!("asked={asked} answered={answered}");
    Ok(())
}

fn has_answer(socket: &UdpSocket, limit: Duration) -> Result<bool> {
    socket.set_read_timeout(Some(limit))?;
    let length = socket.recv(&mut [0; LENGTH]);
    Ok(length.is_ok_and(|length| length == LENGTH))
}

/// The address that many after this one.
fn nth_after(address: IpAddr, number: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4((address.to_bits() + number).into()),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() + u128::from(number)).into()),
    }
}
