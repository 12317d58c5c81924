//! The offsets at which the drop program finds the fields that it reads.

use std::{fs, os::unix::fs::MetadataExt as _};

use netdiag_abi::drop::DropLayout;
use netdiag_diagnosis::kernel::Reason;

use crate::probes::{btf::Error, facts::KernelFacts, types::Types};

/// Looks every offset up.
///
/// # Errors
/// This kernel lacks a field without which drops cannot be told apart.
pub(in crate::probes) fn resolve(
    types: &dyn Types,
    facts: &KernelFacts,
) -> Result<DropLayout, Error> {
    let skb = |field| types.offset_of("sk_buff", field);
    let packet_type = types.member("sk_buff", "pkt_type")?;
    let ip_summed = types.member("sk_buff", "ip_summed")?;
    let (vlan_present, vlan_present_mask) = types.vlan_present()?;
    // u32::MAX is no reason, so where the kernel has none of that name nothing is left out.
    let reason = |reason| facts.drop_reason(&reason).unwrap_or(u32::MAX);

    Ok(DropLayout {
        skb_dev: skb("dev")?,
        skb_socket: skb("sk")?,
        skb_hash: skb("hash")?,
        skb_protocol: skb("protocol")?,
        skb_iif: skb("skb_iif")?,
        skb_head: skb("head")?,
        skb_data: skb("data")?,
        skb_len: skb("len")?,
        skb_data_len: skb("data_len")?,
        skb_mac_header: skb("mac_header")?,
        skb_network_header: skb("network_header")?,
        skb_transport_header: skb("transport_header")?,
        skb_vlan_tci: skb("vlan_tci")?,
        skb_vlan_present: vlan_present,
        skb_vlan_present_mask: vlan_present_mask,
        skb_packet_type: packet_type.byte_offset(),
        skb_packet_type_shift: packet_type.bit_shift(),
        skb_ip_summed: ip_summed.byte_offset(),
        skb_ip_summed_shift: ip_summed.bit_shift(),
        device_ifindex: types.offset_of("net_device", "ifindex")?,
        device_name: types.offset_of("net_device", "name")?,
        device_net: types.offset_of("net_device", "nd_net.net")?,
        net_inum: types.offset_of("net", "ns.inum")?,
        net_cookie: types.offset_of("net", "net_cookie").unwrap_or(0),
        sock_net: types.offset_of("sock", "__sk_common.skc_net.net")?,
        skb_route: skb("_skb_refdst")?,
        route_device: types
            .offset_of("dst_entry", "dev")
            .or_else(|_| types.offset_of("dst_entry", "dev_rcu"))?,
        route_metrics: types.offset_of("dst_entry", "_metrics")?,
        task_nsproxy: types.offset_of("task_struct", "nsproxy")?,
        nsproxy_net: types.offset_of("nsproxy", "net_ns")?,
        has_cookie: u32::from(facts.namespaces_have_cookies),
        arguments: facts
            .arguments("kfree_skb")
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        reason_consumed: reason(Reason::CONSUMED),
        reason_not_dropped: reason(Reason::NOT_DROPPED_YET),
        reason_not_specified: reason(Reason::NOT_SPECIFIED),
        node_inum: own_namespace(),
    })
}

/// Number of the agent's own namespace, the node's; 0 when /proc does not tell.
fn own_namespace() -> u32 {
    let inode = fs::metadata("/proc/self/ns/net").map(|metadata| metadata.ino());
    inode
        .ok()
        .and_then(|inode| u32::try_from(inode).ok())
        .unwrap_or(0)
}
