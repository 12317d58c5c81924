//! Sockets of TCP, UDP and raw IP, with their queues.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{NetnsId, Owner};
use crate::packets::ip::{TCP, UDP};

/// A socket that can lose packets: a TCP listener, one that waits for an answer to its SYN, one of UDP, or another one
/// that has dropped something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InetSocket {
    /// The namespace it is in.
    pub netns: NetnsId,
    /// Who holds it.
    pub owner: Owner,
    /// IPPROTO_*.
    pub protocol: u8,
    /// It waits for connections of TCP.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_listening: bool,
    /// The address that it is bound to; 0.0.0.0 or :: for every one.
    pub address: IpAddr,
    /// Its port; the protocol of a raw socket.
    pub port: u16,
    /// An IPv6 socket that takes no IPv4.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_v6_only: bool,
    /// The device it is bound to, 0 for every device.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ifindex: u32,
    /// As many connections, and one more, may wait to be accepted (`sk_max_ack_backlog`: the smaller of what listen() was
    /// told and somaxconn).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accept_limit: u32,
    /// Bytes that may wait to be read (`sk_rcvbuf`: twice what SO_RCVBUF was told, or rmem_default).
    pub receive_buffer: u32,
    /// Its queues at the start; absent where it was opened within the window, or had dropped nothing by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SocketQueues>,
    /// The same at the end.
    pub after: SocketQueues,
}

/// The queues of a socket at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketQueues {
    /// Connections that nobody has accepted yet (`sk_ack_backlog`).
    #[serde(skip_serializing_if = "is_zero")]
    pub accept: u32,
    /// Connections of which the handshake is not complete.
    #[serde(skip_serializing_if = "is_zero")]
    pub syn: u32,
    /// A number that tells the connection that has waited longest to be accepted from others; 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub oldest: u32,
    /// Bytes of memory that received packets take (`sk_rmem_alloc`).
    #[serde(skip_serializing_if = "is_zero")]
    pub memory: u32,
    /// Packets that it had no room for from its opening on (`sk_drops`).
    #[serde(skip_serializing_if = "is_zero")]
    pub drops: u32,
}

impl InetSocket {
    /// The packets that it dropped within the window.
    pub fn dropped(&self) -> u64 {
        let before = self.before.map_or(0, |before| before.drops);
        u64::from(self.after.drops.wrapping_sub(before))
    }

    /// It is bound to that address, or to every address of its version.
    pub fn has_address(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address) {
            (IpAddr::V6(any), IpAddr::V4(_)) => any.is_unspecified() && !self.is_v6_only,
            (bound, address) => {
                bound == address || bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4()
            }
        }
    }

    /// It takes datagrams of UDP.
    pub fn is_udp(&self) -> bool {
        self.protocol == UDP
    }

    /// It has a connection of TCP.
    pub fn is_connection(&self) -> bool {
        self.protocol == TCP && !self.is_listening
    }

    /// The queue of connections to accept had no room at this moment (`sk_acceptq_is_full`).
    pub fn is_accept_queue_full(&self, queues: &SocketQueues) -> bool {
        self.is_listening && queues.accept > self.accept_limit
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}
