//! TUN and TAP devices: what the kernel sends out on one, this program reads; what it writes, the kernel receives.
#![expect(unsafe_code, reason = "TUN devices are made by ioctls")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The work that the program tells the kernel it can finish itself: checksums, and segmentation of TCP.
pub(crate) const CHECKSUMS: libc::c_uint = libc::TUN_F_CSUM;
pub(crate) const SEGMENTATION: libc::c_uint = libc::TUN_F_TSO4 | libc::TUN_F_TSO6;

/// A TUN or TAP device, which lives as long as this value.
pub(crate) struct Tun(File);

impl Tun {
    /// Makes the device: a TAP passes on frames, a TUN packets. With a header, each begins with a virtio-net header.
    pub(crate) fn open(
        name: &str,
        is_tap: bool,
        has_header: bool,
        offload: libc::c_uint,
    ) -> Result<Self> {
        let kind = if is_tap { libc::IFF_TAP } else { libc::IFF_TUN };
        let header = if has_header { libc::IFF_VNET_HDR } else { 0 };
        let tun = Self::attach(Path::new("/dev/net/tun"), name, kind | header)?;
        // SAFETY: the argument is the set of offloads itself.
        check(unsafe {
            libc::ioctl(
                tun.0.as_raw_fd(),
                libc::TUNSETOFFLOAD,
                libc::c_ulong::from(offload),
            )
        })
        .with_context(|| format!("failed to set what {name:?} offloads"))?;
        Ok(tun)
    }

    /// Opens a macvtap, which is there, by the file that stands for it. It passes on frames without header.
    pub(crate) fn open_macvtap(file: &Path, name: &str) -> Result<Self> {
        Self::attach(file, name, libc::IFF_TAP)
    }

    fn attach(path: &Path, name: &str, flags: libc::c_int) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .with_context(|| format!("failed to open {}", path.display()))?;
        // SAFETY: ifreq is plain data for which all zeroes is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        ensure!(
            name.len() < libc::IFNAMSIZ,
            "{name:?} is too long for a device"
        );
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (flags | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: `request` is an ifreq with a name and flags.
        check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })
            .with_context(|| format!("failed to attach to {name:?}"))?;
        Ok(Self(file))
    }

    /// Sends one packet into the kernel.
    pub(crate) fn send(&self, packet: &[u8]) -> io::Result<()> {
        (&self.0).write(packet).map(drop)
    }

    /// Receives one packet without waiting. `None` when there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.0).read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
