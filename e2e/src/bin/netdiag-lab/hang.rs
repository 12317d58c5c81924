//! A server that hangs, and clients that do not know.

use std::{
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::listen::ListenArgs;

#[derive(clap::Args)]
pub(crate) struct ConnectArgs {
    /// Address of the server.
    address: IpAddr,
    /// Port of the server.
    port: u16,
    /// The number of connections to open side by side.
    count: u32,
    /// Milliseconds to wait for them.
    #[arg(long, default_value_t = 1000)]
    wait_ms: u64,
    /// Milliseconds to keep them open.
    #[arg(long, default_value_t = 0)]
    hold_ms: u64,
}

/// Opens sockets and never reads from them nor accepts a connection.
pub(crate) fn hang(args: &ListenArgs) -> Result<()> {
    let sockets = args.addresses.iter().map(|address| {
        let datagrams = UdpSocket::bind((*address, args.port)).context("failed to bind")?;
        let listener = TcpListener::bind((*address, args.port)).context("failed to listen")?;
        Ok((datagrams, listener))
    });
    let _sockets: Vec<_> = sockets.collect::<Result<_>>()?;
    args.stay();
    Ok(())
}

/// Opens connections and keeps them.
pub(crate) fn connect(args: &ConnectArgs) -> Result<()> {
    let address = SocketAddr::new(args.address, args.port);
    let limit = Duration::from_millis(args.wait_ms);
    println!("ready=1");
    let clients: Vec<_> = (0..args.count)
        .map(|_| thread::spawn(move || TcpStream::connect_timeout(&address, limit).ok()))
        .collect();
    let streams = clients.into_iter().filter_map(|client| client.join().ok());
    let streams: Vec<TcpStream> = streams.flatten().collect();
    println!("connected={}", streams.len());
    thread::sleep(Duration::from_millis(args.hold_ms));
    Ok(())
}
