//! Stands in for a virtual machine: what comes in on its device of the node goes to a device of the guest, and back.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::packet_socket::wait;
use crate::tun::Tun;

/// The guest's only device.
const GUEST_DEVICE: &str = "eth0";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The device of the node: a macvtap that is there, or a TAP that the program makes.
    device: String,
    /// File that stands for the macvtap.
    #[arg(long)]
    macvtap: Option<PathBuf>,
    /// File of the namespace that plays the guest; a TAP `eth0` is made in it.
    #[arg(long)]
    guest: PathBuf,
    /// Milliseconds for which it stops reading.
    #[arg(long, default_value_t = 0)]
    stall_ms: u64,
    /// Milliseconds between two stops.
    #[arg(long, default_value_t = 300)]
    every_ms: u64,
    /// End after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Passes frames on in both directions; now and then the machine gets no processor time.
pub(crate) fn run(args: &Args) -> Result<()> {
    let node = match &args.macvtap {
        Some(file) => Tun::open_macvtap(file, &args.device)?,
        None => Tun::open(&args.device, true, false, 0)?,
    };
    let guest = open_in_guest(&args.guest)?;
    println!("ready=1");
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (stall, every) = (
        Duration::from_millis(args.stall_ms),
        Duration::from_millis(args.every_ms),
    );
    let mut next_stall = Instant::now() + every;
    let mut buffer = vec![0; 70_000];
    while Instant::now() < end {
        if !stall.is_zero() && Instant::now() >= next_stall {
            thread::sleep(stall);
            next_stall = Instant::now() + every;
        }
        wait(&[node.as_fd(), guest.as_fd()]);
        for (from, to) in [(&node, &guest), (&guest, &node)] {
            // An error is a device that is down: the scenario is not yet ready, or over.
            while let Ok(Some(length)) = from.receive(&mut buffer) {
                let _ = to.send(&buffer[..length]);
            }
        }
    }
    Ok(())
}

/// Opens the guest's device on a thread that enters the guest: the program itself stays on the node.
fn open_in_guest(namespace: &PathBuf) -> Result<Tun> {
    let file =
        File::open(namespace).with_context(|| format!("failed to open {}", namespace.display()))?;
    let opened = thread::spawn(move || {
        #[expect(
            unsafe_code,
            reason = "std cannot change the network namespace of a thread"
        )]
        // SAFETY: the descriptor is open, and setns changes only this thread.
        if unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
            return Err(std::io::Error::last_os_error()).context("failed to enter the guest");
        }
        Tun::open(GUEST_DEVICE, true, false, 0)
    });
    opened
        .join()
        .map_err(|_| anyhow!("the thread in the guest panicked"))?
}
