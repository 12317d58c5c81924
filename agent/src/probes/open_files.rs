//! The kernel's layout that iterators over the open files of all processes need.

use netdiag_abi::open_files::OpenFileLayout;

use super::{btf::Error, facts::KernelFacts, types::Types};

/// Looks every offset up.
///
/// # Errors
/// This kernel lacks a field.
pub(super) fn layout(types: &dyn Types, facts: &KernelFacts) -> Result<OpenFileLayout, Error> {
    let drop_counters = types.offset_of("sock", "sk_drop_counters");
    Ok(OpenFileLayout {
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
        sock_drops: types.offset_of("sock", "sk_drops")?,
        has_drop_counters: u32::from(drop_counters.is_ok()),
        sock_drop_counters: drop_counters.unwrap_or(0),
        drop_counters_first: types.offset_of("numa_drop_counters", "drops0").unwrap_or(0),
        drop_counters_second: types.offset_of("numa_drop_counters", "drops1").unwrap_or(0),
        sock_receive_buffer: types.offset_of("sock", "sk_rcvbuf")?,
        sock_receive_memory: types.offset_of("sock", "sk_backlog.rmem_alloc")?,
    })
}
