//! Short requests over connections that stay open, and the time that their answers take.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::listen::ListenArgs;
use crate::tcp;

/// The least time that the kernel waits for an acknowledgement before it sends again (TCP_RTO_MIN).
const SLOW: Duration = Duration::from_millis(200);
/// Longer than any answer takes while both ends have processor time.
const DELAYED: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub(crate) struct AskArgs {
    /// Address of the server.
    address: IpAddr,
    /// Port of the server.
    port: u16,
    /// Connections side by side.
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Ask for this many seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Milliseconds between an answer and the next request of a connection.
    #[arg(long, default_value_t = 0)]
    gap_ms: u64,
}

/// Answers each request with one byte.
pub(crate) fn answer(args: &ListenArgs) -> Result<()> {
    tcp::serve_with(args, serve)
}

fn serve(mut stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut request = [0; 64];
    while stream.read(&mut request).is_ok_and(|length| length > 0) {
        if stream.write_all(b"!").is_err() {
            break;
        }
    }
}

/// Asks on each connection, one request after the other.
pub(crate) fn ask(args: &AskArgs) -> Result<()> {
    let server = SocketAddr::new(args.address, args.port);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let gap = Duration::from_millis(args.gap_ms);
    let clients: Vec<_> = (0..args.connections)
        .map(|_| thread::spawn(move || ask_one(server, end, gap).unwrap_or_default()))
        .collect();
    let times: Vec<Duration> = clients
        .into_iter()
        .filter_map(|client| client.join().ok())
        .flatten()
        .collect();
    let at_least = |limit| times.iter().filter(|time| **time >= limit).count();
    println!(
        "answers={} delayed={} slow={}",
        times.len(),
        at_least(DELAYED),
        at_least(SLOW)
    );
    Ok(())
}

/// Measures the time that each answer took; answers before an error are lost with it.
fn ask_one(server: SocketAddr, end: Instant, gap: Duration) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(3))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut times = Vec::new();
    while Instant::now() < end {
        let asked = Instant::now();
        stream.write_all(b"?")?;
        stream.read_exact(&mut [0; 1])?;
        times.push(asked.elapsed());
        thread::sleep(gap);
    }
    Ok(times)
}
