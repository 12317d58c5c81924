//! The iterator over packet sockets: what it needs from the kernel.

use netdiag_abi::packet_sockets::PacketSocketLayout;

use netdiag_diagnosis::{EvidenceWindow, evidence::PacketSocketReader};

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
        let backend = backend(window.packet_socket_reader);
        standing::in_every_window(DESCRIPTION.name, Some(backend), &window.packet_sockets)
    }),
    counts: |_: &EvidenceWindow| Vec::new(),
    watch: None,
};

/// The programs and maps of this reading in the object.
pub(super) static DESCRIPTION: Description = Description {
    name: "packet-sockets",
    maps: "PACKET_SOCKET_",
    large_maps: &[],
    layout: "PACKET_SOCKET_LAYOUT",
    hooks: &[],
    supported: |_| Support::Full,
    resolve: |types, facts| any_layout(layout(types, facts)),
};

/// Its program in the eBPF object.
pub(super) const PROGRAM: &str = "packet_sockets";

fn backend(reader: PacketSocketReader) -> &'static str {
    match reader {
        PacketSocketReader::Iterator => "bpf_iterator",
        PacketSocketReader::Procfs => "procfs",
    }
}

/// Looks every offset up.
///
/// # Errors
/// This kernel lacks a field, most likely because AF_PACKET is a module of it.
fn layout(types: &dyn Types, facts: &KernelFacts) -> Result<PacketSocketLayout, Error> {
    Ok(PacketSocketLayout {
        files: open_files::layout(types, facts)?,
        packet_ifindex: types.offset_of("packet_sock", "ifindex")?,
        packet_num: types.offset_of("packet_sock", "num")?,
        packet_mclist: types.offset_of("packet_sock", "mclist")?,
        packet_ring_drops: types.offset_of("packet_sock", "tp_drops")?,
        packet_ring: types.offset_of("packet_sock", "rx_ring.pg_vec")?,
        mclist_next: types.offset_of("packet_mclist", "next")?,
        mclist_ifindex: types.offset_of("packet_mclist", "ifindex")?,
        mclist_count: types.offset_of("packet_mclist", "count")?,
        mclist_type: types.offset_of("packet_mclist", "type")?,
    })
}
