//! Writes the sockets of TCP, UDP and raw IP that can lose packets and that a process has open: listeners, those of UDP,
//! those that wait for an answer to their SYN, and others that have dropped something.

#![expect(unsafe_code, reason = "reads kernel structures through pointers")]

use aya_ebpf::helpers::bpf_seq_write;
use netdiag_abi::inet_sockets::{InetSocketLayout, InetSocketRecord};

use crate::{
    open_files::{Context, drops_of, field, pointer, process_of, socket_of},
    read::constant,
};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static INET_SOCKET_LAYOUT: InetSocketLayout = InetSocketLayout::ZERO;

/// A value of [`INET_SOCKET_LAYOUT`].
macro_rules! layout {
    ($($field:ident).+) => {
        constant(&INET_SOCKET_LAYOUT.$($field).+)
    };
}

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const TCP: u16 = 6;
const UDP: u16 = 17;
const SYN_SENT: u8 = 2;
const LISTEN: u8 = 10;

/// Called with each open file, and once more at the end with none.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn inet_sockets(context: *const Context) -> i32 {
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
    let socket = unsafe { socket_of(&INET_SOCKET_LAYOUT.files, file) };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: from here on everything is read by the helper that checks addresses.
    unsafe {
        let sk = pointer(socket, layout!(files.socket_sk));
        if sk.is_null() {
            return 0;
        }
        let family: u16 = field(sk, layout!(files.sock_family));
        if family != AF_INET && family != AF_INET6 {
            return 0;
        }
        let protocol: u16 = field(sk, layout!(sock_protocol));
        let state: u8 = field(sk, layout!(sock_state));
        let drops = drops_of(&INET_SOCKET_LAYOUT.files, sk);
        let is_listener = protocol == TCP && state == LISTEN;
        let is_opening = protocol == TCP && state == SYN_SENT;
        if protocol != UDP && !is_listener && !is_opening && drops == 0 {
            return 0;
        }
        let mut record = record_of(sk, task);
        record.family = family;
        record.protocol = protocol;
        record.state = state;
        record.drops = drops;
        if is_listener {
            add_queues(sk, &mut record);
        }
        bpf_seq_write(
            (*meta).seq,
            (&raw const record).cast(),
            size_of::<InetSocketRecord>() as u32,
        );
    }
    0
}

/// # Safety
/// `sk` must be a socket of IP and `task` a task.
#[inline(always)]
unsafe fn record_of(sk: *const u8, task: *const u8) -> InetSocketRecord {
    // SAFETY: the caller vouches for both; what is behind them is read by the helper that checks addresses.
    unsafe {
        let net = pointer(sk, layout!(files.sock_net));
        let mut record = InetSocketRecord {
            socket: sk as u64,
            cookie: 0,
            inum: field(net, layout!(files.net_inum)),
            pid: process_of(&INET_SOCKET_LAYOUT.files, task),
            address: [0; 16],
            port: field(sk, layout!(sock_port)),
            family: 0,
            protocol: 0,
            state: 0,
            is_v6_only: 0,
            ifindex: field(sk, layout!(sock_ifindex)),
            accept_queue: 0,
            accept_limit: 0,
            syn_queue: 0,
            oldest: 0,
            receive_buffer: field(sk, layout!(files.sock_receive_buffer)),
            receive_memory: field(sk, layout!(files.sock_receive_memory)),
            drops: 0,
            somaxconn: field(net, layout!(net_somaxconn)),
            syn_backlog: field(net, layout!(net_syn_backlog)),
            syncookies: field(net, layout!(net_syncookies)),
            abort_on_overflow: field(net, layout!(net_abort_on_overflow)),
            unused: [0; 6],
        };
        if layout!(files.has_cookie) != 0 {
            record.cookie = field(net, layout!(files.net_cookie));
        }
        let family: u16 = field(sk, layout!(files.sock_family));
        if family == AF_INET6 && layout!(has_v6) != 0 {
            record.address = field(sk, layout!(sock_address_v6));
            let bits = u32::from(field::<u8>(sk, layout!(sock_v6_only)));
            record.is_v6_only = u8::from(bits & layout!(sock_v6_only_mask) != 0);
        } else {
            let address: [u8; 4] = field(sk, layout!(sock_address));
            record.address[0] = address[0];
            record.address[1] = address[1];
            record.address[2] = address[2];
            record.address[3] = address[3];
        }
        record
    }
}

/// # Safety
/// `sk` must be a listening socket of TCP.
#[inline(always)]
unsafe fn add_queues(sk: *const u8, record: &mut InetSocketRecord) {
    // SAFETY: the caller vouches for the socket; everything is read by the helper that checks addresses.
    unsafe {
        record.accept_queue = field(sk, layout!(sock_accept_queue));
        record.accept_limit = field(sk, layout!(sock_accept_limit));
        record.syn_queue = field(sk, layout!(listener_syn_queue));
        let oldest = pointer(sk, layout!(listener_oldest));
        if !oldest.is_null() {
            record.oldest = field(oldest, layout!(request_sequence));
        }
    }
}
