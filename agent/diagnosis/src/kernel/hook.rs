//! Functions and tracepoints that the agent's probes attach to. Findings name them as the source of what was seen.

/// The end of a packet that did not go its way.
pub const KFREE_SKB: &str = "kfree_skb";
/// A packet that a device hands to the stack.
pub const NETIF_RECEIVE_SKB: &str = "netif_receive_skb";
/// A packet that a device's driver hands to generic receive offload.
pub const NAPI_GRO_RECEIVE: &str = "napi_gro_receive";
/// A TCP segment that is sent again.
pub const TCP_RETRANSMIT_SKB: &str = "tcp_retransmit_skb";

/// Every one.
#[cfg(test)]
pub(super) const ALL: [&str; 4] = [
    KFREE_SKB,
    NETIF_RECEIVE_SKB,
    NAPI_GRO_RECEIVE,
    TCP_RETRANSMIT_SKB,
];
