//! The program between two pods: reads frames on one device, writes them on the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::packet_socket::{ETH_P_ALL, PacketSocket, wait};
use crate::tun::{CHECKSUMS, SEGMENTATION, Tun};

/// The offset of the payload of TCP without options behind an Ethernet and an IP header. Bytes from here on belong to
/// the transport's payload or options, so breaking one breaks that checksum and no other.
const BREAKABLE_FROM_IPV4: usize = 14 + 20 + 20;
const BREAKABLE_FROM_IPV6: usize = 14 + 40 + 20;

/// `struct virtio_net_hdr` of `<linux/virtio_net.h>`: flags, segmentation, lengths and offsets.
const HEADER: usize = 10;
const SEGMENTATION_AT: usize = 1;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One device.
    one: String,
    /// The other device.
    other: String,
    /// The kind of socket that the frames come through.
    #[arg(long, value_enum, default_value_t = Through::Sockets)]
    through: Through,
    /// The treatment of the kernel's note that a frame is unfinished, the virtio-net header.
    #[arg(long, value_enum, default_value_t = Note::Lost)]
    note: Note,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Break one byte of every Nth IP frame that is long enough; 0 breaks none.
    #[arg(long, default_value_t = 0)]
    break_every: u64,
    /// Lose every Nth IP fragment; 0 loses none.
    #[arg(long, default_value_t = 0)]
    lose_every: u64,
    /// Send every Nth IP fragment twice; 0 none.
    #[arg(long, default_value_t = 0)]
    repeat_every: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Through {
    /// Packet sockets on devices that are there.
    Sockets,
    /// TAP devices that the program makes.
    Taps,
    /// TUN devices that the program makes.
    Tuns,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Note {
    /// The program does not ask for it.
    Lost,
    /// Passed on with frames that are to be finished as they are, lost with those to be cut into segments.
    LostOfSuperFrames,
    /// Passed on.
    Kept,
}

/// The socket or device at which frames come in and go out.
enum End {
    Socket(PacketSocket),
    Tun(Tun),
}

impl End {
    fn open(device: &str, args: &Args) -> Result<Self> {
        let has_header = args.note != Note::Lost;
        // Who takes segmentation upon itself needs the header to learn of it.
        let offload = if has_header {
            CHECKSUMS | SEGMENTATION
        } else {
            CHECKSUMS
        };
        let tun = |is_tap| Tun::open(device, is_tap, has_header, offload).map(Self::Tun);
        match args.through {
            Through::Taps => tun(true),
            Through::Tuns => tun(false),
            Through::Sockets => {
                let socket = PacketSocket::open(device, ETH_P_ALL)?;
                if has_header {
                    socket.ask_for_header()?;
                }
                Ok(Self::Socket(socket))
            }
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Socket(socket) => socket.receive(buffer),
            Self::Tun(tun) => tun.receive(buffer),
        }
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.send(frame),
            Self::Tun(tun) => tun.send(frame),
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Socket(socket) => socket.as_fd(),
            Self::Tun(tun) => tun.as_fd(),
        }
    }
}

/// Passes frames on in both directions.
pub(crate) fn run(args: &Args) -> Result<()> {
    let ends = [End::open(&args.one, args)?, End::open(&args.other, args)?];
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut buffer = vec![0; 70_000];
    let (mut forwarded, mut broken, mut long_frames) = (0_u64, 0_u64, 0_u64);
    let (mut fragments, mut lost, mut repeated) = (0_u64, 0_u64, 0_u64);
    while Instant::now() < end {
        wait(&[ends[0].as_fd(), ends[1].as_fd()]);
        for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            // An error is the device being down, or gone with its namespace: the scenario is not yet ready, or over.
            while let Ok(Some(length)) = from.receive(&mut buffer) {
                if length == 0 {
                    continue;
                }
                let frame = &mut buffer[..length];
                if args.note == Note::LostOfSuperFrames && is_super_frame(frame) {
                    frame[..HEADER].fill(0);
                }
                if let Some(span) = breakable(frame).filter(|_| args.break_every > 0) {
                    long_frames += 1;
                    if long_frames % args.break_every == 0 {
                        // Another place each time, as real faults have it.
                        let at = span.start + (long_frames as usize * 7919) % span.len();
                        frame[at] ^= 0x55;
                        broken += 1;
                    }
                }
                if is_fragment(frame) {
                    fragments += 1;
                    if is_nth(fragments, args.lose_every) {
                        lost += 1;
                        continue;
                    }
                    if is_nth(fragments, args.repeat_every) && to.send(frame).is_ok() {
                        repeated += 1;
                    }
                }
                // A frame larger than the device takes is lost, as it would be on a switch.
                if to.send(frame).is_ok() {
                    forwarded += 1;
                }
            }
        }
    }
    println!("forwarded={forwarded} broken={broken} lost={lost} repeated={repeated}");
    Ok(())
}

fn is_nth(number: u64, every: u64) -> bool {
    every > 0 && number.is_multiple_of(every)
}

/// An IPv4 packet with an offset or more to follow, an IPv6 packet whose first extension header is a fragment header.
fn is_fragment(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => {
            matches!(frame.get(20..22), Some([high, low]) if (high & 0x3f, *low) != (0, 0))
        }
        Some([0x86, 0xdd]) => frame.get(20) == Some(&44),
        _ => false,
    }
}

/// The frame's header says that it is to be cut into segments.
fn is_super_frame(frame: &[u8]) -> bool {
    frame.len() > HEADER && frame[SEGMENTATION_AT] != 0
}

/// Finds the bytes of TCP or UDP over IP that may be broken.
fn breakable(frame: &[u8]) -> Option<std::ops::Range<usize>> {
    let (protocol_at, from) = match frame.get(12..14)? {
        [0x08, 0x00] => (14 + 9, BREAKABLE_FROM_IPV4),
        [0x86, 0xdd] => (14 + 6, BREAKABLE_FROM_IPV6),
        _ => return None,
    };
    let is_transport = matches!(
        i32::from(*frame.get(protocol_at)?),
        libc::IPPROTO_TCP | libc::IPPROTO_UDP
    );
    (is_transport && frame.len() > from).then_some(from..frame.len())
}
