//! Lets a namespace reach a server on the machine's loopback, as a node reaches its API server.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};

use crate::netns::Namespace;

/// Listens on the namespace's loopback and passes each connection on to the same port outside. Ends with the process:
/// the listener keeps no namespace alive that has lost its name and processes, because the thread ends on its error.
pub(super) fn open(namespace: &Namespace, port: u16) -> Result<()> {
    let listener = namespace
        .enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?
        .with_context(|| format!("failed to listen on port {port} of {}", namespace.name()))?;
    thread::spawn(move || {
        for inside in listener.incoming() {
            let (Ok(inside), Ok(outside)) =
                (inside, TcpStream::connect((Ipv4Addr::LOCALHOST, port)))
            else {
                continue; // the client sees its connection closed, as from any server that is away
            };
            if let (Ok(inside_too), Ok(outside_too)) = (inside.try_clone(), outside.try_clone()) {
                thread::spawn(move || pass_on(inside, outside_too));
                thread::spawn(move || pass_on(outside, inside_too));
            }
        }
    });
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    // Either end may close at any time; the other then learns it too.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
