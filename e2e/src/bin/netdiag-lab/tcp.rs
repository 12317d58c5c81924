//! TCP: a server that reads everything, and a client that connects and sends.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::listen::ListenArgs;

#[derive(clap::Args)]
pub(crate) struct LoadArgs {
    /// Address of the server.
    address: IpAddr,
    /// Port of the server.
    port: u16,
    /// End after this many seconds, whatever was sent.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// End after this many bytes.
    #[arg(long, default_value_t = u64::MAX)]
    total: u64,
    /// Bytes to send before the client closes the connection and opens the next one; 0 keeps one open, and cuts it off
    /// at the end.
    #[arg(long, default_value_t = 0)]
    bytes: u64,
}

/// Accepts connections and reads them to their end.
pub(crate) fn serve(args: &ListenArgs) -> Result<()> {
    serve_with(args, drain)
}

/// Accepts connections and has each served on a thread of its own.
pub(crate) fn serve_with(args: &ListenArgs, serve: fn(TcpStream)) -> Result<()> {
    for address in &args.addresses {
        let listener = TcpListener::bind((*address, args.port)).context("failed to listen")?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
    }
    args.stay();
    Ok(())
}

fn drain(mut stream: TcpStream) {
    let mut buffer = vec![0; 65_536];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

/// Connects and sends until that is enough or the time is over.
pub(crate) fn load(args: &LoadArgs) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (mut connected, mut sent) = (0_u64, 0_u64);
    while Instant::now() < end && sent < args.total {
        let left = end
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        let address = SocketAddr::new(args.address, args.port);
        let Ok(stream) = TcpStream::connect_timeout(&address, left) else {
            thread::sleep(Duration::from_millis(20)); // refused at once: do not spin
            continue;
        };
        connected += 1;
        sent += fill(stream, end, args.bytes, args.total - sent);
    }
    println!("connected={connected} sent={sent}");
    Ok(())
}

/// Sends the bytes of one connection, or the last ones of all.
fn fill(mut stream: TcpStream, end: Instant, bytes: u64, left: u64) -> u64 {
    let block = vec![b'n'; 65_536];
    // A stalled connection must not outlive the time.
    let timeout = end
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1));
    if stream.set_write_timeout(Some(timeout)).is_err() {
        return 0;
    }
    let enough = if bytes == 0 { left } else { bytes.min(left) };
    let mut sent = 0;
    while Instant::now() < end && sent < enough {
        let most = usize::try_from(enough - sent).map_or(block.len(), |left| left.min(block.len()));
        match stream.write(&block[..most]) {
            Ok(length) => sent += length as u64,
            Err(_) => break,
        }
    }
    if bytes == 0 {
        cut_off(&stream);
    }
    sent
}

/// Lets nothing of what is still to be sent linger behind the program's end.
#[expect(unsafe_code, reason = "the standard library's set_linger is unstable")]
fn cut_off(stream: &TcpStream) {
    let at_once = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: `at_once` is a linger of the length given. A failure means that the connection is gone already.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            std::ptr::from_ref(&at_once).cast(),
            size_of_val(&at_once) as u32,
        );
    }
}
