//! The iterator over sockets of TCP, UDP and raw IP: what it needs from the kernel.

use netdiag_abi::inet_sockets::InetSocketLayout;

use super::{
    btf::Error,
    description::{Description, any_layout},
    facts::{KernelFacts, Support},
    open_files,
    probe::Registration,
    standing,
    types::Types,
};

/// Its line in the registry.
pub(super) const PROBE: Registration = Registration {
    description: &DESCRIPTION,
    standing: Some(|window| {
        standing::in_every_window(DESCRIPTION.name, Some("bpf_iterator"), &window.inet_sockets)
    }),
    counts: |_| Vec::new(),
    watch: None,
};

/// The programs and maps of this reading in the object.
pub(super) static DESCRIPTION: Description = Description {
    name: "inet-sockets",
    maps: "INET_SOCKET_",
    large_maps: &[],
    layout: "INET_SOCKET_LAYOUT",
    hooks: &[],
    supported: |_| Support::Full,
    resolve: |types, facts| any_layout(layout(types, facts)),
};

/// Its program in the eBPF object.
pub(super) const PROGRAM: &str = "inet_sockets";

/// Looks every offset up. On kernels before 5.15 the switches are integers of four bytes; their lowest byte is read.
///
/// # Errors
/// This kernel lacks a field.
fn layout(types: &dyn Types, facts: &KernelFacts) -> Result<InetSocketLayout, Error> {
    let address_v6 = types.offset_of("sock", "__sk_common.skc_v6_rcv_saddr");
    let v6_only = types.member("sock", "__sk_common.skc_ipv6only")?;
    Ok(InetSocketLayout {
        files: open_files::layout(types, facts)?,
        sock_address: types.offset_of("sock", "__sk_common.skc_rcv_saddr")?,
        has_v6: u32::from(address_v6.is_ok()),
        sock_address_v6: address_v6.unwrap_or(0),
        sock_port: types.offset_of("sock", "__sk_common.skc_num")?,
        sock_protocol: types.offset_of("sock", "sk_protocol")?,
        sock_state: types.offset_of("sock", "__sk_common.skc_state")?,
        sock_v6_only: v6_only.byte_offset(),
        sock_v6_only_mask: 1 << v6_only.bit_shift(),
        sock_ifindex: types.offset_of("sock", "__sk_common.skc_bound_dev_if")?,
        sock_accept_queue: types.offset_of("sock", "sk_ack_backlog")?,
        sock_accept_limit: types.offset_of("sock", "sk_max_ack_backlog")?,
        listener_syn_queue: types.offset_of("inet_connection_sock", "icsk_accept_queue.qlen")?,
        listener_oldest: types
            .offset_of("inet_connection_sock", "icsk_accept_queue.rskq_accept_head")?,
        request_sequence: types.offset_of("tcp_request_sock", "rcv_isn")?,
        net_somaxconn: types.offset_of("net", "core.sysctl_somaxconn")?,
        net_syn_backlog: types.offset_of("net", "ipv4.sysctl_max_syn_backlog")?,
        net_syncookies: types.offset_of("net", "ipv4.sysctl_tcp_syncookies")?,
        net_abort_on_overflow: types.offset_of("net", "ipv4.sysctl_tcp_abort_on_overflow")?,
    })
}
