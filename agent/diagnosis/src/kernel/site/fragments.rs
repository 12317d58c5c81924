//! Reassembly of IP fragments.

use super::{Ends, Layer::Fragments, Site, sites};

sites! {
    /// A fragment on its way into its queue: another copy is there already (DUP_FRAG from 6.4 on), it does not fit, or
    /// there is no memory. ip_frag_queue is inlined here.
    IP_DEFRAG = Site::new(Fragments, &["ip_defrag", "ip_frag_queue"]).ending(Ends::Either);

    /// The same of IPv6.
    IPV6_FRAG_RCV = Site::new(Fragments, &["ipv6_frag_rcv", "ip6_frag_queue"]);

    /// A queue that was given up: the first fragment, after its ICMP message.
    IP_EXPIRE = Site::new(Fragments, &["ip_expire"]).ending(Ends::Either);

    /// The same of IPv6.
    IP6_FRAG_EXPIRE = Site::new(Fragments, &["ip6_frag_expire"]);

    /// The same of connection tracking's own reassembly.
    NF_CT_FRAG6_EXPIRE = Site::new(Fragments, &["nf_ct_frag6_expire"]);

    /// The other fragments of a queue that was given up. A copied last fragment ends so as well, and nothing is lost
    /// then.
    INET_FRAG_RBTREE_PURGE = Site::new(Fragments, &["inet_frag_rbtree_purge"]).ending(Ends::Either);

    /// The queue itself.
    INET_FRAG_DESTROY = Site::new(Fragments, &["inet_frag_destroy"]);
}

/// The sites that end a fragment on its way into its queue.
pub static REASSEMBLY: &[&Site] = &[&IP_DEFRAG, &IPV6_FRAG_RCV];

/// The sites that end what was in a queue that was given up.
pub static REASSEMBLY_EXPIRY: &[&Site] = &[
    &IP_EXPIRE,
    &IP6_FRAG_EXPIRE,
    &NF_CT_FRAG6_EXPIRE,
    &INET_FRAG_RBTREE_PURGE,
    &INET_FRAG_DESTROY,
];
