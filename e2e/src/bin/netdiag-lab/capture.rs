//! A capture: one packet socket, promiscuous unless told otherwise.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::frames::hexadecimal;
use crate::packet_socket::{PacketSocket, wait};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Device to listen on; `any` for all of them.
    device: String,
    /// EtherType to listen for, hexadecimal; 3 is every protocol.
    #[arg(long, default_value = "3", value_parser = hexadecimal)]
    ethertype: u16,
    /// Leave the device's filter alone, as `tcpdump -p` and daemons do.
    #[arg(long)]
    plain: bool,
    /// Receive nothing, and let no process hold the socket open.
    #[arg(long)]
    hidden: bool,
    /// Read nothing: the socket fills, and the kernel drops the copies that are too many.
    #[arg(long)]
    unread: bool,
    /// Receive into a ring, as tcpdump does.
    #[arg(long)]
    ring: bool,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Listens and counts.
pub(crate) fn run(args: &Args) -> Result<()> {
    let socket = PacketSocket::open(&args.device, args.ethertype)?;
    if !args.plain {
        socket.listen_promiscuously()?;
    }
    if args.hidden {
        let _under_way = hide(&socket)?;
        drop(socket);
        println!("ready=1");
        thread::sleep(Duration::from_secs(args.seconds));
        return Ok(());
    }
    if args.ring {
        socket.receive_into_ring()?;
    }
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    if args.unread {
        return leave_unread(&socket, end);
    }
    let mut buffer = vec![0; 70_000];
    let mut captured = 0_u64;
    while Instant::now() < end {
        wait(&[socket.as_fd()]);
        while socket.receive(&mut buffer)?.is_some() {
            captured += 1;
        }
    }
    println!("captured={captured}");
    Ok(())
}

/// Prints how many copies were dropped, again each time that it is more.
fn leave_unread(socket: &PacketSocket, end: Instant) -> Result<()> {
    let mut dropped = 0_u64;
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
        let more = socket.dropped()?;
        if more > 0 {
            dropped += more;
            println!("dropped={dropped}");
        }
    }
    Ok(())
}

/// Puts another descriptor of the socket on its way to a process that never takes it; it is there as long as the pair.
fn hide(socket: &PacketSocket) -> Result<(UnixStream, UnixStream)> {
    let pair = UnixStream::pair().context("failed to make a pair of sockets")?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [socket.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let message = [IoSlice::new(b"socket")];
    sendmsg(&pair.0, &message, &mut ancillary, SendFlags::empty())
        .context("failed to send a descriptor")?;
    Ok(pair)
}
