//! The offsets at which the frame copies program finds the fields that it reads.

use netdiag_abi::frame_copies::FrameCopiesLayout;

use crate::probes::{btf::Error, facts::KernelFacts, types::Types};

/// Looks every offset up.
///
/// # Errors
/// This kernel lacks a field without which frames cannot be compared.
pub(super) fn resolve(types: &dyn Types, facts: &KernelFacts) -> Result<FrameCopiesLayout, Error> {
    let skb = |field| types.offset_of("sk_buff", field);
    let device = |field| types.offset_of("net_device", field);
    let packet_type = types.member("sk_buff", "pkt_type")?;
    let (vlan_present, vlan_present_mask) = types.vlan_present()?;
    let team_port = types
        .enumerator("netdev_priv_flags", "IFF_TEAM_PORT")
        .unwrap_or(0);
    Ok(FrameCopiesLayout {
        skb_dev: skb("dev")?,
        skb_protocol: skb("protocol")?,
        skb_head: skb("head")?,
        skb_data: skb("data")?,
        skb_len: skb("len")?,
        skb_data_len: skb("data_len")?,
        skb_mac_header: skb("mac_header")?,
        skb_vlan_tci: skb("vlan_tci")?,
        skb_vlan_present: vlan_present,
        skb_vlan_present_mask: vlan_present_mask,
        skb_packet_type: packet_type.byte_offset(),
        skb_packet_type_shift: packet_type.bit_shift(),
        device_ifindex: device("ifindex")?,
        device_flags: device("flags")?,
        device_private_flags: device("priv_flags")?,
        device_rx_handler: device("rx_handler")?,
        device_net: device("nd_net.net")?,
        net_inum: types.offset_of("net", "ns.inum")?,
        net_cookie: types.offset_of("net", "net_cookie").unwrap_or(0),
        has_cookie: u32::from(facts.namespaces_have_cookies),
        team_port,
    })
}
