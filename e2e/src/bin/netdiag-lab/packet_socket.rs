//! AF_PACKET sockets, which no library of the standard ones wraps.
#![expect(unsafe_code, reason = "packet sockets need libc's calls")]

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

use anyhow::{Context, Result};

/// Every protocol (`<linux/if_ether.h>`).
pub(crate) const ETH_P_ALL: u16 = 3;

/// A raw packet socket bound to one device.
pub(crate) struct PacketSocket {
    socket: OwnedFd,
    ifindex: i32,
}

impl PacketSocket {
    /// Opens a socket on the device, or on all of them for `any`. With protocol 0 it sends only, and the kernel
    /// registers no receiver for it.
    pub(crate) fn open(device: &str, protocol: u16) -> Result<Self> {
        let index = index_of(device)?;
        let protocol = protocol.to_be();
        // SAFETY: no pointers are passed.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if raw < 0 {
            return Err(io::Error::last_os_error()).context("failed to open a packet socket");
        }
        // SAFETY: `raw` was just opened and nobody else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: sockaddr_ll is plain data for which all zeroes is a value.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: `address` is a sockaddr_ll of the length given.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                ptr::from_ref(&address).cast(),
                size_of_val(&address) as u32,
            )
        };
        check(bound).with_context(|| format!("failed to bind to {device:?}"))?;
        Ok(Self {
            socket,
            ifindex: index as i32,
        })
    }

    /// Makes the device promiscuous for as long as the socket lives.
    pub(crate) fn listen_promiscuously(&self) -> Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: self.ifindex,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        // SAFETY: `membership` is a packet_mreq of the length given.
        let set = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_ADD_MEMBERSHIP,
                ptr::from_ref(&membership).cast(),
                size_of_val(&membership) as u32,
            )
        };
        check(set)
            .map(drop)
            .context("failed to add a promiscuous membership")
    }

    /// Lets every frame begin with a virtio-net header, received and sent: the kernel's note of what is unfinished.
    pub(crate) fn ask_for_header(&self) -> Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: `on` is an int of the length given.
        let set = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_VNET_HDR,
                ptr::from_ref(&on).cast(),
                size_of_val(&on) as u32,
            )
        };
        check(set)
            .map(drop)
            .context("failed to ask for the virtio-net header")
    }

    /// Receives into a small ring in memory from now on.
    pub(crate) fn receive_into_ring(&self) -> Result<()> {
        let request = libc::tpacket_req {
            tp_block_size: 65_536,
            tp_block_nr: 4,
            tp_frame_size: 2_048,
            tp_frame_nr: 128,
        };
        // SAFETY: `request` is a tpacket_req of the length given.
        let set = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_RX_RING,
                ptr::from_ref(&request).cast(),
                size_of_val(&request) as u32,
            )
        };
        check(set).map(drop).context("failed to make a ring")
    }

    /// Frames that the socket had no room for after the last call.
    pub(crate) fn dropped(&self) -> Result<u64> {
        let mut statistics = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = size_of_val(&statistics) as u32;
        // SAFETY: `statistics` is valid for writes of the length given.
        let got = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                ptr::from_mut(&mut statistics).cast(),
                &raw mut length,
            )
        };
        check(got).context("failed to read the socket's statistics")?;
        Ok(statistics.tp_drops.into())
    }

    /// Sends one frame, link layer header included.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: `frame` is valid for its length.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
            )
        };
        check(sent as i32).map(drop)
    }

    /// Receives one frame without waiting, frames that this machine sent out on the device left out. `None` when there
    /// is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // SAFETY: sockaddr_ll is plain data for which all zeroes is a value.
        let mut from: libc::sockaddr_ll = unsafe { mem::zeroed() };
        let mut length = size_of_val(&from) as u32;
        // SAFETY: `buffer` and `from` are valid for writes of the lengths given.
        let received = unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
                ptr::from_mut(&mut from).cast(),
                &raw mut length,
            )
        };
        if received < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock {
                Ok(None)
            } else {
                Err(error)
            };
        }
        let outgoing = i32::from(from.sll_pkttype) == i32::from(libc::PACKET_OUTGOING);
        Ok(Some(if outgoing { 0 } else { received as usize }))
    }
}

/// A device's number; 0 stands for any.
fn index_of(device: &str) -> Result<u32> {
    if device == "any" {
        return Ok(0);
    }
    let name = CString::new(device).context("device names hold no NUL")?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()).with_context(|| format!("no device {device:?}")),
        index => Ok(index),
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Waits until one of the files can be read, at most 100 ms.
pub(crate) fn wait(files: &[BorrowedFd<'_>]) {
    let watch = |file: &BorrowedFd<'_>| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut watched: Vec<libc::pollfd> = files.iter().map(watch).collect();
    // SAFETY: `watched` is valid for its length. A time-out and an interruption both mean: look again.
    unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as u64, 100) };
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
