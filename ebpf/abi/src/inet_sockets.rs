//! The records that the iterator over sockets of TCP, UDP and raw IP writes, and the layout that it needs.

use crate::{open_files::OpenFileLayout, plain::plain};

plain!(InetSocketLayout, InetSocketRecord);

/// One socket, as one of the descriptors that lead to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InetSocketRecord {
    /// Address of the socket, which tells descriptors of one socket from those of two.
    pub socket: u64,
    /// `net->net_cookie` of its namespace, 0 when unknown.
    pub cookie: u64,
    /// `net->ns.inum` of its namespace.
    pub inum: u32,
    /// Process that holds the descriptor, as the reader's pid namespace numbers it.
    pub pid: u32,
    /// The address that it is bound to, in network order; of IPv4 in the first four bytes. Zero for every address.
    pub address: [u8; 16],
    /// Its port in host order; the protocol of a raw socket.
    pub port: u16,
    /// AF_INET or AF_INET6.
    pub family: u16,
    /// IPPROTO_*.
    pub protocol: u16,
    /// `skc_state`: 10 is TCP_LISTEN.
    pub state: u8,
    /// 1 for an IPv6 socket that takes no IPv4.
    pub is_v6_only: u8,
    /// The device that it is bound to, 0 for every device.
    pub ifindex: u32,
    /// A listener's connections that nobody has accepted yet (`sk_ack_backlog`).
    pub accept_queue: u32,
    /// As many, and one more, may wait (`sk_max_ack_backlog`).
    pub accept_limit: u32,
    /// A listener's connections of which the handshake is not complete (`icsk_accept_queue.qlen`).
    pub syn_queue: u32,
    /// The initial sequence number of the connection that has waited longest to be accepted, 0 for none.
    pub oldest: u32,
    /// `sk_rcvbuf`, bytes.
    pub receive_buffer: u32,
    /// `sk_rmem_alloc`, bytes.
    pub receive_memory: u32,
    /// `sk_drops`.
    pub drops: u32,
    /// `net.core.somaxconn` of its namespace.
    pub somaxconn: u32,
    /// `net.ipv4.tcp_max_syn_backlog` of its namespace.
    pub syn_backlog: u32,
    /// `net.ipv4.tcp_syncookies` of its namespace.
    pub syncookies: u8,
    /// `net.ipv4.tcp_abort_on_overflow` of its namespace.
    pub abort_on_overflow: u8,
    /// Nothing.
    pub unused: [u8; 6],
}

/// Layout of the kernel structures that are read: byte offsets from the running kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InetSocketLayout {
    /// The way from an open file to its socket.
    pub files: OpenFileLayout,
    /// `sock.__sk_common.skc_rcv_saddr`.
    pub sock_address: u32,
    /// `sock.__sk_common.skc_v6_rcv_saddr`.
    pub sock_address_v6: u32,
    /// Not 0 where the kernel has IPv6.
    pub has_v6: u32,
    /// `sock.__sk_common.skc_num`.
    pub sock_port: u32,
    /// `sock.sk_protocol`.
    pub sock_protocol: u32,
    /// `sock.__sk_common.skc_state`.
    pub sock_state: u32,
    /// The byte of `sock.__sk_common.skc_ipv6only`, and its bit.
    pub sock_v6_only: u32,
    /// The bit.
    pub sock_v6_only_mask: u32,
    /// `sock.__sk_common.skc_bound_dev_if`.
    pub sock_ifindex: u32,
    /// `sock.sk_ack_backlog`.
    pub sock_accept_queue: u32,
    /// `sock.sk_max_ack_backlog`.
    pub sock_accept_limit: u32,
    /// `inet_connection_sock.icsk_accept_queue.qlen`.
    pub listener_syn_queue: u32,
    /// `inet_connection_sock.icsk_accept_queue.rskq_accept_head`.
    pub listener_oldest: u32,
    /// `tcp_request_sock.rcv_isn`.
    pub request_sequence: u32,
    /// `net.core.sysctl_somaxconn`.
    pub net_somaxconn: u32,
    /// `net.ipv4.sysctl_max_syn_backlog`.
    pub net_syn_backlog: u32,
    /// `net.ipv4.sysctl_tcp_syncookies`.
    pub net_syncookies: u32,
    /// `net.ipv4.sysctl_tcp_abort_on_overflow`.
    pub net_abort_on_overflow: u32,
}

impl InetSocketLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        files: OpenFileLayout::ZERO,
        sock_address: 0,
        sock_address_v6: 0,
        has_v6: 0,
        sock_port: 0,
        sock_protocol: 0,
        sock_state: 0,
        sock_v6_only: 0,
        sock_v6_only_mask: 0,
        sock_ifindex: 0,
        sock_accept_queue: 0,
        sock_accept_limit: 0,
        listener_syn_queue: 0,
        listener_oldest: 0,
        request_sequence: 0,
        net_somaxconn: 0,
        net_syn_backlog: 0,
        net_syncookies: 0,
        net_abort_on_overflow: 0,
    };
}
