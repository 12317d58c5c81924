//! The offsets at which the retransmission programs find the fields that they read.

use netdiag_abi::retransmissions::RetransmissionLayout;
use netdiag_diagnosis::kernel::Reason;

use crate::probes::{btf::Error, drop, facts::KernelFacts, types::Types};

/// Looks every offset up, also those of the drop probe.
///
/// # Errors
/// This kernel lacks a field without which segments cannot be told apart.
pub(super) fn resolve(
    types: &dyn Types,
    facts: &KernelFacts,
) -> Result<RetransmissionLayout, Error> {
    // TCP keeps its own in the packet's control block (TCP_SKB_CB).
    let control_block = types.offset_of("sk_buff", "cb")?;
    let segment = |field| Ok(control_block + types.offset_of("tcp_skb_cb", field)?);
    // A socket and a connection request both begin with it.
    let common = |field| types.offset_of("sock_common", field);
    Ok(RetransmissionLayout {
        drop: drop::resolve(types, facts)?,
        skb_end: types.offset_of("sk_buff", "end")?,
        shared_gso_size: types.offset_of("skb_shared_info", "gso_size")?,
        segment_sequence: segment("seq")?,
        segment_count: segment("tcp_gso_segs")?,
        segment_size: segment("tcp_gso_size")?,
        common_family: common("skc_family")?,
        common_source_port: common("skc_num")?,
        common_destination_port: common("skc_dport")?,
        common_source: common("skc_rcv_saddr")?,
        common_destination: common("skc_daddr")?,
        common_source6: common("skc_v6_rcv_saddr").unwrap_or(0),
        common_destination6: common("skc_v6_daddr").unwrap_or(0),
        request_operations: types.offset_of("request_sock", "rsk_ops")?,
        operations_family: types.offset_of("request_sock_ops", "family")?,
        request_sequence: types.offset_of("tcp_request_sock", "snt_isn")?,
        retransmit_arguments: facts
            .arguments("tcp_retransmit_skb")
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        // u32::MAX is no reason, so where the kernel has none of that name nothing is left out.
        reason_other_host: facts.drop_reason(&Reason::OTHERHOST).unwrap_or(u32::MAX),
    })
}
