//! The layers of the stack.

/// The part of the stack that a site is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Devices, their queues, and what hands packets over between them.
    Device,
    /// Bridges, and what receives 802.2 frames.
    Bridge,
    /// IP with its routes and neighbours.
    Ip,
    /// Reassembly of IP fragments.
    Fragments,
    /// Packet filters.
    Netfilter,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Sockets of every kind, and their queues.
    Socket,
}
