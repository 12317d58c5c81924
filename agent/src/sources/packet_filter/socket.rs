//! A NETLINK_NETFILTER socket: dumps of nftables, within a budget of bytes.

use std::{cell::Cell, io};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use crate::sources::{
    attributes::array,
    route_netlink::{encode, messages},
};

/// The most bytes that one reading takes from the kernel.
pub(super) const MOST_BYTES: usize = 4 << 20;
/// A dump's messages come in blocks of at most 32 KiB (`netlink_dump`, net/netlink/af_netlink.c).
const RECEIVE_BUFFER: usize = 64 * 1024;
/// NFNL_SUBSYS_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h).
const SUBSYSTEM: u16 = 10;
/// `struct nfgenmsg`.
const HEADER: usize = 4;

/// The socket, in the agent's own namespace. Asks for one list after the other.
pub(super) struct FilterSocket {
    socket: Socket,
    sequence: Cell<u32>,
    bytes: Cell<usize>,
}

/// The reason why a list was not read.
#[derive(Debug)]
pub(super) enum Failure {
    /// The budget is used up.
    Budget,
    /// The list changed while it was read.
    Changed,
    /// The kernel's answer.
    Refused(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

impl FilterSocket {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the kernel has no netlink for packet filters.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: Cell::new(0),
            bytes: Cell::new(0),
        })
    }

    /// Lists the objects of one kind: hands the family and the attributes of each to `receive`. After a failure the
    /// socket may hold the rest of the list, which later calls pass over.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(super) fn list(
        &self,
        kind: u8,
        family: u8,
        attributes: &[u8],
        mut receive: impl FnMut(u8, &[u8]),
    ) -> Result<(), Failure> {
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);
        let mut body = vec![family, 0, 0, 0];
        body.extend_from_slice(attributes);
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_DUMP;
        let message = encode(SUBSYSTEM << 8 | u16::from(kind), flags, sequence, &body);
        self.socket.send(&message, 0)?;
        let mut buffer = Vec::with_capacity(RECEIVE_BUFFER);
        loop {
            if self.bytes.get() > MOST_BYTES {
                return Err(Failure::Budget);
            }
            buffer.clear();
            match self.socket.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            self.bytes.set(self.bytes.get() + buffer.len());
            for message in messages(&buffer) {
                if message.sequence != sequence {
                    continue;
                }
                if message.flags & (libc::NLM_F_DUMP_INTR as u16) != 0 {
                    return Err(Failure::Changed);
                }
                match i32::from(message.message_type) {
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                        return match array(message.body, 0).map(i32::from_ne_bytes) {
                            Some(code) if code < 0 => {
                                Err(io::Error::from_raw_os_error(code.saturating_neg()).into())
                            }
                            _ => Ok(()),
                        };
                    }
                    _ => {
                        let family = message.body.first().copied().unwrap_or_default();
                        receive(family, message.body.get(HEADER..).unwrap_or_default());
                    }
                }
            }
        }
    }
}
