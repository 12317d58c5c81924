//! Notifications about links of the agent's own namespace. Each pod that comes or goes changes one of them.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The group RTNLGRP_LINK as a bit, as bind(2) takes it.
const LINK_GROUP: u32 = 1 << (libc::RTNLGRP_LINK - 1);

/// A socket that receives the notifications.
pub(crate) struct LinkChanges(Socket);

impl LinkChanges {
    /// Subscribes to the notifications.
    ///
    /// # Errors
    /// The kernel gives no such socket.
    pub(crate) fn subscribe() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, LINK_GROUP))?;
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// True if a link came, went or changed since the last call. What the kernel had no room to say is a change too.
    pub(crate) fn any(&self) -> bool {
        let mut changed = false;
        let mut buffer = Vec::with_capacity(64 * 1024);
        loop {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Ok(_) => changed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return changed || error.raw_os_error() == Some(libc::ENOBUFS),
            }
        }
    }
}
