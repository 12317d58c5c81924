//! A NETLINK_ROUTE socket: requests and dumps, into other namespaces too, without entering them.

use std::{cell::RefCell, io};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::attributes::{aligned, array};
use crate::bounded::Bounded;

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// A dump's messages come in blocks of at most 32 KiB (`netlink_dump`, net/netlink/af_netlink.c).
const RECEIVE_BUFFER: usize = 64 * 1024;
/// The number of times that a dump is repeated which changed under way.
const DUMP_ATTEMPTS: usize = 4;

/// A message as it came in: its type and what follows the header.
pub(super) type Message<'a> = (u16, &'a [u8]);

/// The socket. One request at a time.
pub(super) struct RouteSocket {
    socket: Socket,
    state: RefCell<DumpState>,
}

struct DumpState {
    sequence: u32,
    buffer: Vec<u8>,
}

/// The answer whether a dump saw one state of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consistency {
    /// Nothing changed while it was read.
    Consistent,
    /// The kernel's list changed under way each time that it was tried (NLM_F_DUMP_INTR).
    Interrupted,
}

impl RouteSocket {
    /// Opens the socket in the agent's own namespace.
    ///
    /// # Errors
    /// When the kernel has no netlink, or no descriptor is left.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Without it the kernel ignores IFA_TARGET_NETNSID and answers for its own namespace (4.20 on).
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self {
            socket,
            state: RefCell::new(DumpState {
                sequence: 0,
                buffer: Vec::with_capacity(RECEIVE_BUFFER),
            }),
        })
    }

    /// Sends one request and hands each answer to `receive`, until the kernel acknowledges.
    ///
    /// # Errors
    /// The error that the kernel answered with, or that of the socket.
    pub(super) fn request(
        &self,
        message_type: u16,
        body: &[u8],
        mut receive: impl FnMut(Message<'_>),
    ) -> io::Result<()> {
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK;
        self.exchange(message_type, flags, body, &mut receive)
            .map(|_| ())
    }

    /// Dumps a list: `parse` turns each message into an entry, of which at most so many are kept; `what` names them.
    /// Repeats a dump that changed under way, so that entries belong together.
    ///
    /// # Errors
    /// The error that the kernel answered with, or that of the socket.
    pub(super) fn dump<T>(
        &self,
        message_type: u16,
        body: &[u8],
        (most, what): (usize, &'static str),
        parse: impl Fn(Message<'_>) -> Option<T>,
    ) -> io::Result<(Bounded<Vec<T>>, Consistency)> {
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_DUMP;
        let mut entries = Vec::new();
        let mut left_out = 0;
        let mut consistency = Consistency::Interrupted;
        for _ in 0..DUMP_ATTEMPTS {
            entries.clear();
            left_out = 0;
            consistency = self.exchange(message_type, flags, body, &mut |message| match parse(
                message,
            ) {
                Some(entry) if entries.len() < most => entries.push(entry),
                Some(_) => left_out += 1,
                None => {}
            })?;
            if consistency == Consistency::Consistent {
                break;
            }
        }
        let entries = Bounded::without(entries, what, most, left_out);
        Ok((entries, consistency))
    }

    fn exchange(
        &self,
        message_type: u16,
        flags: libc::c_int,
        body: &[u8],
        receive: &mut dyn FnMut(Message<'_>),
    ) -> io::Result<Consistency> {
        let mut state = self.state.borrow_mut();
        state.sequence = state.sequence.wrapping_add(1);
        let sequence = state.sequence;
        self.socket
            .send(&encode(message_type, flags, sequence, body), 0)?;
        let mut consistency = Consistency::Consistent;
        loop {
            state.buffer.clear();
            match self.socket.recv(&mut state.buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for message in messages(&state.buffer) {
                if message.sequence != sequence {
                    continue; // the rest of a request that was given up
                }
                if message.flags & (libc::NLM_F_DUMP_INTR as u16) != 0 {
                    consistency = Consistency::Interrupted;
                }
                match i32::from(message.message_type) {
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                        return match array(message.body, 0).map(i32::from_ne_bytes) {
                            Some(code) if code < 0 => {
                                Err(io::Error::from_raw_os_error(code.saturating_neg()))
                            }
                            _ => Ok(consistency),
                        };
                    }
                    _ => receive((message.message_type, message.body)),
                }
            }
        }
    }
}

pub(super) fn encode(message_type: u16, flags: libc::c_int, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&message_type.to_ne_bytes());
    message.extend_from_slice(&(flags as u16).to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&0_u32.to_ne_bytes());
    message.extend_from_slice(body);
    message
}

pub(super) struct Received<'a> {
    pub(super) message_type: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(array(rest, 0)?)).ok()?;
        let received = Received {
            message_type: u16::from_ne_bytes(array(rest, 4)?),
            flags: u16::from_ne_bytes(array(rest, 6)?),
            sequence: u32::from_ne_bytes(array(rest, 8)?),
            body: rest.get(HEADER..length)?,
        };
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(received)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_split_and_broken_ones_end_the_walk() {
        let mut bytes = encode(16, 2, 7, &[1, 2, 3, 4]);
        bytes.extend(encode(3, 2, 7, &[0; 4]));
        bytes.extend([9, 0, 0, 0]);
        let seen: Vec<_> = messages(&bytes)
            .map(|message| (message.message_type, message.sequence, message.body.len()))
            .collect();
        assert_eq!(seen, [(16, 7, 4), (3, 7, 4)]);
        assert_eq!(messages(&[0xff; 15]).count(), 0);
        assert_eq!(messages(&[0xff; 64]).count(), 0);
    }
}
