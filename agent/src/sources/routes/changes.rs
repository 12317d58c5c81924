//! Notifications about routes of the agent's own namespace that are deleted.

use std::io;

use netdiag_diagnosis::evidence::RouteEntry;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{super::route_netlink::messages, message};
use crate::bounded::Bounded;

/// The groups RTNLGRP_IPV4_ROUTE and RTNLGRP_IPV6_ROUTE as bits, as bind(2) takes them.
const GROUPS: u32 = 1 << (libc::RTNLGRP_IPV4_ROUTE - 1) | 1 << (libc::RTNLGRP_IPV6_ROUTE - 1);
/// As many deleted routes are kept: a routing daemon that converges deletes more.
const MOST: usize = 1_024;
const WHAT: &str = "deleted routes";

/// A socket that receives the notifications, and the routes that were deleted.
pub(crate) struct RouteChanges {
    socket: Socket,
    removed: Vec<RouteEntry>,
    left_out: usize,
    has_overflowed: bool,
}

impl RouteChanges {
    /// Subscribes to the notifications.
    ///
    /// # Errors
    /// The kernel gives no such socket.
    pub(crate) fn subscribe() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        socket.set_non_blocking(true)?;
        Ok(Self {
            socket,
            removed: Vec::new(),
            left_out: 0,
            has_overflowed: false,
        })
    }

    /// Reads what has come.
    pub(crate) fn read(&mut self) {
        let mut buffer = Vec::with_capacity(64 * 1024);
        loop {
            buffer.clear();
            match self.socket.recv(&mut buffer, 0) {
                Ok(_) => self.note(&buffer),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.has_overflowed = true;
                }
                Err(_) => return,
            }
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        for received in messages(bytes) {
            if received.message_type != libc::RTM_DELROUTE {
                continue;
            }
            match message::route(received.body) {
                Some(route) if self.removed.len() < MOST => self.removed.push(route),
                Some(_) => self.left_out += 1,
                None => {}
            }
        }
    }

    /// The routes that were deleted.
    pub(crate) fn into_removed(mut self) -> Bounded<Vec<RouteEntry>> {
        self.read();
        match self.has_overflowed {
            true => Bounded::ended(self.removed, WHAT, MOST),
            false => Bounded::without(self.removed, WHAT, MOST, self.left_out),
        }
    }
}
