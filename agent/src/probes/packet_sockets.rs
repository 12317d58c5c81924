//! The iterator over packet sockets: what it needs from the kernel.

use netdiag_abi::packet_sockets::PacketSocketLayout;

use netdiag_diagnosis::{EvidenceWindow, evidence::PacketSocketReader};

use super::{
    btf::Error,
    description::{Description, any_layout},
    facts::{KernelFacts, Support},
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
    supported,
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

/// Decides whether packet sockets can be read on a kernel with these facts.
fn supported(facts: &KernelFacts) -> Support {
    if !facts.has_types {
        Support::No("the kernel carries no type information (CONFIG_DEBUG_INFO_BTF)".to_owned())
    } else {
        Support::Full
    }
}

/// Looks every offset up.
///
/// # Errors
/// This kernel lacks a field, most likely because AF_PACKET is a module of it.
fn layout(types: &dyn Types, facts: &KernelFacts) -> Result<PacketSocketLayout, Error> {
    Ok(PacketSocketLayout {
        has_sock_from_file: u32::from(facts.has_sock_from_file),
        file_inode: types.offset_of("file", "f_inode")?,
        file_private: types.offset_of("file", "private_data")?,
        inode_super_block: types.offset_of("inode", "i_sb")?,
        super_block_magic: types.offset_of("super_block", "s_magic")?,
        socket_sk: types.offset_of("socket", "sk")?,
        sock_family: types.offset_of("sock", "__sk_common.skc_family")?,
        sock_net: types.offset_of("sock", "__sk_common.skc_net.net")?,
        net_inum: types.offset_of("net", "ns.inum")?,
        net_cookie: types.offset_of("net", "net_cookie").unwrap_or(0),
        has_cookie: u32::from(facts.namespaces_have_cookies),
        task_group_leader: types.offset_of("task_struct", "group_leader")?,
        task_thread_pid: types.offset_of("task_struct", "thread_pid")?,
        pid_level: types.offset_of("pid", "level")?,
        pid_numbers: types.offset_of("pid", "numbers")?,
        upid_nr: types.offset_of("upid", "nr")?,
        upid_ns: types.offset_of("upid", "ns")?,
        packet_ifindex: types.offset_of("packet_sock", "ifindex")?,
        packet_num: types.offset_of("packet_sock", "num")?,
        packet_mclist: types.offset_of("packet_sock", "mclist")?,
        mclist_next: types.offset_of("packet_mclist", "next")?,
        mclist_ifindex: types.offset_of("packet_mclist", "ifindex")?,
        mclist_count: types.offset_of("packet_mclist", "count")?,
        mclist_type: types.offset_of("packet_mclist", "type")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_information_is_all_that_is_needed() {
        let mut facts = KernelFacts::default();
        assert!(matches!(supported(&facts), Support::No(reason) if reason.contains("BTF")));
        facts.has_types = true;
        assert_eq!(supported(&facts), Support::Full);
    }
}
