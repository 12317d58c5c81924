//! Writes every packet socket (AF_PACKET) that a process has open, with its memberships.

#![expect(unsafe_code, reason = "reads kernel structures through pointers")]

use aya_ebpf::helpers::bpf_seq_write;
use netdiag_abi::packet_sockets::{
    MAX_MEMBERSHIPS, MembershipRecord, PacketSocketLayout, PacketSocketRecord,
};

use crate::{
    open_files::{Context, drops_of, field, pointer, process_of, socket_of},
    read::constant,
};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static PACKET_SOCKET_LAYOUT: PacketSocketLayout = PacketSocketLayout::ZERO;

/// A value of [`PACKET_SOCKET_LAYOUT`].
macro_rules! layout {
    ($($field:ident).+) => {
        constant(&PACKET_SOCKET_LAYOUT.$($field).+)
    };
}

const AF_PACKET: u16 = 17;

/// Called with each open file, and once more at the end with none.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn packet_sockets(context: *const Context) -> i32 {
    // SAFETY: the kernel calls with its own context of that layout; pointers in it are null or valid.
    let (meta, task, file) = unsafe {
        (
            (&raw const (*context).meta).read_volatile(),
            (&raw const (*context).task).read_volatile(),
            (&raw const (*context).file).read_volatile(),
        )
    };
    if task.is_null() || file.is_null() {
        return 0;
    }
    // SAFETY: `file` is not null, and what is behind it is read by a helper that checks addresses.
    let socket = unsafe { socket_of(&PACKET_SOCKET_LAYOUT.files, file) };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: from here on everything is read by the helper that checks addresses.
    unsafe {
        let sk = pointer(socket, layout!(files.socket_sk));
        if sk.is_null() || field::<u16>(sk, layout!(files.sock_family)) != AF_PACKET {
            return 0;
        }
        let mut record = PacketSocketRecord {
            socket: sk as u64,
            cookie: 0,
            inum: 0,
            pid: process_of(&PACKET_SOCKET_LAYOUT.files, task),
            ifindex: field(sk, layout!(packet_ifindex)),
            protocol: field(sk, layout!(packet_num)),
            memberships: 0,
            drops: drops_of(&PACKET_SOCKET_LAYOUT.files, sk),
            ring_drops: field(sk, layout!(packet_ring_drops)),
            receive_buffer: field(sk, layout!(files.sock_receive_buffer)),
            has_ring: u32::from(!pointer(sk, layout!(packet_ring)).is_null()),
            list: [MembershipRecord {
                ifindex: 0,
                count: 0,
                kind: 0,
            }; MAX_MEMBERSHIPS],
        };
        let net = pointer(sk, layout!(files.sock_net));
        record.inum = field(net, layout!(files.net_inum));
        if layout!(files.has_cookie) != 0 {
            record.cookie = field(net, layout!(files.net_cookie));
        }
        add_memberships(sk, &mut record);
        bpf_seq_write(
            (*meta).seq,
            (&raw const record).cast(),
            size_of::<PacketSocketRecord>() as u32,
        );
    }
    0
}

/// Fills the record where it is: two of them do not fit on the stack.
///
/// # Safety
/// `sk` must be a packet socket.
#[inline(always)]
unsafe fn add_memberships(sk: *const u8, record: &mut PacketSocketRecord) {
    // SAFETY: the caller vouches for the socket; what is behind it is read by the helper that checks addresses.
    unsafe {
        let mut entry = pointer(sk, layout!(packet_mclist));
        for membership in &mut record.list {
            if entry.is_null() {
                return;
            }
            membership.ifindex = field(entry, layout!(mclist_ifindex));
            membership.count = field(entry, layout!(mclist_count));
            membership.kind = u32::from(field::<u16>(entry, layout!(mclist_type)));
            record.memberships += 1;
            entry = pointer(entry, layout!(mclist_next));
        }
        if !entry.is_null() {
            record.memberships += 1;
        }
    }
}
