//! Sockets of every kind, and their queues.

use super::{Ends, Kernels, Layer::Socket, Site, sites};

sites! {
    /// Parts of packets that a packet refers to.
    SKB_RELEASE_DATA = Site::new(Socket, &["skb_release_data"]).ending(Ends::Unmissed);

    /// The rest of the queues of a stream socket that is closed.
    SK_STREAM_KILL_QUEUES = Site::new(Socket, &["sk_stream_kill_queues"]).ending(Ends::Unmissed);

    /// Data that a TCP connection had received and nobody had read, when its program or its listener ended it.
    TCP_DISCONNECT = Site::new(Socket, &["tcp_disconnect"]).ending(Ends::Unmissed);

    /// The rest of any queue that is given up.
    SKB_QUEUE_PURGE = Site::new(Socket, &["skb_queue_purge", "skb_queue_purge_reason"])
        .ending(Ends::Unmissed);

    /// The rest of a queue of segments out of order, or of those not acknowledged.
    SKB_RBTREE_PURGE = Site::new(Socket, &["skb_rbtree_purge"]).ending(Ends::Unmissed);

    /// The rest of an Internet socket that is closed.
    INET_SOCK_DESTRUCT = Site::new(Socket, &["inet_sock_destruct"]).ending(Ends::Unmissed);

    /// The rest of a UDP socket that is closed.
    UDP_DESTRUCT_SOCK = Site::new(Socket, &["udp_destruct_common", "udp_destruct_sock"])
        .ending(Ends::Unmissed);

    /// A copy for a packet socket: whether its program has room for it or not, the packet itself goes on.
    PACKET_RCV = Site::new(Socket, &["packet_rcv", "packet_rcv_spkt", "tpacket_rcv"])
        .ending(Ends::Unmissed);

    /// A send() that failed; the program was told.
    FAILED_SEND = Site::new(
        Socket,
        &[
            "packet_sendmsg",
            "packet_snd",
            "udp_send_skb",
            "udp_v6_send_skb",
            "__ip_flush_pending_frames",
            "ip_flush_pending_frames",
            "__ip6_flush_pending_frames",
            "ip6_flush_pending_frames",
        ],
    )
    .ending(Ends::Unmissed);

    /// A connect() to an AF_UNIX socket that failed. No packet.
    UNIX_STREAM_CONNECT = Site::new(Socket, &["unix_stream_connect"]).ending(Ends::Unmissed);

    /// The ordinary end of control packets between a virtual machine and its host (vsock): virtio_transport_recv_listen
    /// and others return the packet to this function, which frees it when it is done.
    VIRTIO_TRANSPORT_RECV_PKT = Site::new(Socket, &["virtio_transport_recv_pkt"])
        .ending_on(Kernels::WithReasons, Ends::Unmissed);
}
