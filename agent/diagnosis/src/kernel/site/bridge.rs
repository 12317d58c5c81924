//! Bridges, and what receives 802.2 frames.

use super::{Ends, Layer::Bridge, Site, sites};

sites! {
    /// A bridge's decision on a frame: a port that does not forward, is locked or isolated, a VLAN that the port does
    /// not allow, or no other port for it (NO_TX_TARGET from 6.15 on). Nothing is counted.
    BR_HANDLE_FRAME_FINISH = Site::new(Bridge, &["br_handle_frame_finish"]).ending(Ends::Either);

    /// A port's first look at a frame (label drop): the port neither forwards nor learns, or the source is no address of
    /// a host.
    BR_HANDLE_FRAME = Site::new(Bridge, &["br_handle_frame"]).ending(Ends::Either);

    /// A frame that is longer than the port takes that it is to go out on, or a port that is down
    /// (`is_skb_forwardable`); with br_netfilter a packet that must not be cut. No counter moves.
    BR_DEV_QUEUE_PUSH_XMIT = Site::new(
        Bridge,
        &["br_dev_queue_push_xmit", "br_nf_dev_queue_xmit"],
    )
    .ending(Ends::Wanted);

    /// The bridge's own copy of a query that it sends to its ports.
    BR_MULTICAST_SEND_QUERY = Site::new(Bridge, &["__br_multicast_send_query"])
        .ending(Ends::Unmissed);

    /// A frame for every port, where there is no other port.
    BR_FLOOD = Site::new(Bridge, &["br_flood"]);

    /// A frame for one port, which is the one that it came from, or not one that may have it.
    BR_FORWARD = Site::new(Bridge, &["br_forward"]);

    /// A frame that the node itself sends into the bridge.
    BR_DEV_XMIT = Site::new(Bridge, &["br_dev_xmit"]);

    /// The ordinary end of a spanning tree frame.
    STP_PDU_RCV = Site::new(Bridge, &["stp_pdu_rcv"]).ending(Ends::Unmissed);

    /// 802.2 frames that no access point receives: taken, as far as the device's counters go.
    LLC_RCV = Site::new(Bridge, &["llc_rcv"]).ending(Ends::Unmissed);

    /// 802.2 frames with a SNAP header that no protocol receives.
    SNAP_RCV = Site::new(Bridge, &["snap_rcv"]);
}

/// The sites that end a frame on its way through a bridge.
pub static BRIDGING: &[&Site] = &[
    &BR_HANDLE_FRAME,
    &BR_HANDLE_FRAME_FINISH,
    &BR_FORWARD,
    &BR_DEV_QUEUE_PUSH_XMIT,
];

/// The sites that end 802.2 frames without a receiver.
pub static LLC: &[&Site] = &[&LLC_RCV, &SNAP_RCV];
