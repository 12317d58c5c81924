//! Packet filters.

use super::{Ends, Layer::Netfilter, Site, sites};

sites! {
    /// Every verdict of a hook before 6.7, and later those of legacy tables and of connection tracking.
    NF_HOOK_SLOW = Site::new(Netfilter, &["nf_hook_slow"]).ending(Ends::Refused);

    /// The verdict of a rule of nftables (6.7 on).
    NFT_DO_CHAIN = Site::new(Netfilter, &["nft_do_chain"]).ending(Ends::Refused);

    /// The verdict of a rule of a legacy table.
    IPT_DO_TABLE = Site::new(Netfilter, &["ipt_do_table"]).ending(Ends::Refused);

    /// The same of IPv6.
    IP6T_DO_TABLE = Site::new(Netfilter, &["ip6t_do_table"]).ending(Ends::Refused);
}

/// The sites where a packet filter's verdict ends a packet.
pub static PACKET_FILTERS: &[&Site] =
    &[&NF_HOOK_SLOW, &NFT_DO_CHAIN, &IPT_DO_TABLE, &IP6T_DO_TABLE];
