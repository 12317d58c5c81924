//! The program between two pods: reads frames on one device, writes them on the other.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::packet_socket::{ETH_P_ALL, PacketSocket, wait};

/// Where the payload of TCP without options over IPv4 begins; bytes from here on belong to the transport's payload or
/// options, so breaking one breaks that checksum and no other.
const BREAKABLE_FROM: usize = 14 + 20 + 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One device.
    one: String,
    /// The other device.
    other: String,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Break one byte of every Nth IP frame that is long enough; 0 breaks none.
    #[arg(long, default_value_t = 0)]
    break_every: u64,
}

/// Passes frames on in both directions.
pub(crate) fn run(args: &Args) -> Result<()> {
    let ends = [
        PacketSocket::open(&args.one, ETH_P_ALL)?,
        PacketSocket::open(&args.other, ETH_P_ALL)?,
    ];
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut buffer = vec![0; 70_000];
    let (mut forwarded, mut broken, mut long_frames) = (0_u64, 0_u64, 0_u64);
    while Instant::now() < end {
        wait(&[&ends[0], &ends[1]]);
        for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            // An error is the device going away with its namespace: the scenario is over.
            while let Ok(Some(length)) = from.receive(&mut buffer) {
                if length == 0 {
                    continue;
                }
                let frame = &mut buffer[..length];
                if args.break_every > 0 && is_ipv4(frame) && length > BREAKABLE_FROM {
                    long_frames += 1;
                    if long_frames % args.break_every == 0 {
                        // Another place each time, as real faults have it.
                        let span = length - BREAKABLE_FROM;
                        let at = BREAKABLE_FROM + (long_frames as usize * 7919) % span;
                        frame[at] ^= 0x55;
                        broken += 1;
                    }
                }
                // A frame larger than the device takes is lost, as it would be on a switch.
                if to.send(frame).is_ok() {
                    forwarded += 1;
                }
            }
        }
    }
    println!("forwarded={forwarded} broken={broken}");
    Ok(())
}

fn is_ipv4(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x08, 0x00])
}
