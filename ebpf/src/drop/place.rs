//! The owner of a dropped packet.
//!
//! `skb->dev` shares its memory with other fields (`dev_scratch`, `rbnode`), so it may be anything. A pointer is
//! believed here when what it leads to looks like a device in a namespace; the agent then believes only devices that
//! it knows.

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel};
use netdiag_abi::drop::{DeviceName, DropLayout, SampleHeader, origin, sample_flags};

use super::layout;

use crate::read::{Arguments, Probed, Read, constant};

/// A namespace and a device in it.
pub struct Place {
    pub net: u64,
    pub inum: u32,
    pub ifindex: u32,
    pub origin: u8,
}

const NOWHERE: Place = Place {
    net: 0,
    inum: 0,
    ifindex: 0,
    origin: origin::NONE,
};

/// Fixed and dynamic numbers of namespaces lie above it (include/uapi/linux/nsfs.h, PROC_DYNAMIC_FIRST).
const LEAST_NAMESPACE_NUMBER: u32 = 0xEFFF_FFF0;

/// Above any index that a node's devices reach in practice; pointers and lengths read as an index mostly exceed it.
const IFINDEX_LIMIT: u32 = 1 << 24;

/// The lowest bit of `_skb_refdst` says that the packet holds no reference to its route (SKB_DST_NOREF).
const ROUTE_FLAGS: u64 = 1;

/// The lowest bits of `_metrics` (DST_METRICS_FLAGS of include/net/dst.h).
const METRICS_FLAGS: u64 = 3;

/// Offsets in the metrics, four bytes each from RTAX_LOCK = 1 on (include/uapi/linux/rtnetlink.h).
const LOCKED_METRICS: u32 = 0;
const MTU_METRIC: u32 = 4;

/// The bit of RTAX_MTU in the locked metrics.
const MTU_IS_LOCKED: u32 = 1 << 2;

/// The device that the packet is on; failing that the one it came in on, in the namespace of the socket that was to
/// receive it, of the socket that owns it, of its route, or of the task that runs.
///
/// A route is what tells kernels before 6.11, which name no socket, whose TCP segment it was: `tcp_v4_rcv` clears
/// `skb->dev` before the socket verifies the checksum.
///
/// What a program here sends came in on no device, and has none before it was routed and filtered: it belongs to its
/// socket's namespace and to its route's device. The task that runs says nothing about it.
#[inline(always)]
pub fn of_packet<R: Read>(
    skb: *const u8,
    arguments: Arguments,
    layout: &'static DropLayout,
) -> Place {
    // SAFETY: skb is the tracepoint's first argument; what is read from it is null, a pointer, or refused.
    unsafe {
        let device = R::pointer(skb, constant(&layout.skb_dev));
        if !device.is_null() {
            let ifindex = R::field(device, constant(&layout.device_ifindex));
            let place = in_namespace::<R>(
                device,
                layout,
                constant(&layout.device_net),
                ifindex,
                origin::DEVICE,
            );
            if place.origin != origin::NONE {
                return place;
            }
        }
        let came_in_on = R::field(skb, constant(&layout.skb_iif));
        if constant(&layout.arguments) > 3 {
            let socket: *const u8 = arguments.get(3);
            if !socket.is_null() {
                return in_namespace::<R>(
                    socket,
                    layout,
                    constant(&layout.sock_net),
                    came_in_on,
                    origin::SOCKET,
                );
            }
        }
        let out = route_device(skb, layout);
        let owner = Probed::pointer(skb, constant(&layout.skb_socket));
        if came_in_on == 0 {
            return sent(owner, out, layout);
        }
        let place = in_namespace::<Probed>(
            owner,
            layout,
            constant(&layout.sock_net),
            came_in_on,
            origin::OWNER,
        );
        if place.origin != origin::NONE {
            return place;
        }
        let place = in_namespace::<Probed>(
            out,
            layout,
            constant(&layout.device_net),
            came_in_on,
            origin::ROUTE,
        );
        if place.origin != origin::NONE {
            return place;
        }
        let task = bpf_get_current_task() as *const u8;
        let proxy = Probed::pointer(task, constant(&layout.task_nsproxy));
        in_namespace::<Probed>(
            proxy,
            layout,
            constant(&layout.nsproxy_net),
            came_in_on,
            origin::TASK,
        )
    }
}

/// The device of the packet's route, or null.
///
/// # Safety
/// `skb` must be the tracepoint's argument.
#[inline(always)]
unsafe fn route_device(skb: *const u8, layout: &'static DropLayout) -> *const u8 {
    // SAFETY: the caller's promise; the helper checks every address.
    unsafe {
        let route = Probed::field::<u64>(skb, constant(&layout.skb_route)) & !ROUTE_FLAGS;
        if route == 0 {
            return core::ptr::null();
        }
        Probed::pointer(route as *const u8, constant(&layout.route_device))
    }
}

/// Fills in what is known of the packet's route. A packet without one, and what the kernel keeps in that field meanwhile
/// (the queues of TCP), leave zeros or numbers that the agent finds to be no device.
///
/// # Safety
/// `skb` must be the tracepoint's argument.
#[inline(always)]
pub unsafe fn note_route(skb: *const u8, header: &mut SampleHeader) {
    // SAFETY: the caller's promise; the helper checks every address.
    unsafe {
        let route = Probed::field::<u64>(skb, layout!(skb_route)) & !ROUTE_FLAGS;
        if route == 0 {
            return;
        }
        let route = route as *const u8;
        let device = Probed::pointer(route, layout!(route_device));
        let ifindex: u32 = Probed::field(device, layout!(device_ifindex));
        if ifindex >= IFINDEX_LIMIT {
            return;
        }
        header.route_ifindex = ifindex;
        let metrics = Probed::field::<u64>(route, layout!(route_metrics)) & !METRICS_FLAGS;
        let metrics = metrics as *const u8;
        header.route_mtu = Probed::field(metrics, MTU_METRIC);
        let locked: u32 = Probed::field(metrics, LOCKED_METRICS);
        if locked & MTU_IS_LOCKED != 0 {
            header.flags |= sample_flags::ROUTE_MTU_LOCKED;
        }
    }
}

/// The place of a packet that this socket sends through that device; either may be null.
///
/// # Safety
/// As [`Read::field`].
#[inline(always)]
unsafe fn sent(socket: *const u8, device: *const u8, layout: &'static DropLayout) -> Place {
    // SAFETY: the caller's promise; the helper checks every address.
    unsafe {
        let mut ifindex: u32 = 0;
        let mut holder = socket;
        let mut net_offset = constant(&layout.sock_net);
        if !device.is_null() {
            ifindex = Probed::field(device, constant(&layout.device_ifindex));
            // The device of a route is in the namespace that it was looked up in.
            holder = device;
            net_offset = constant(&layout.device_net);
        }
        if holder.is_null() {
            return NOWHERE;
        }
        let namespace = Probed::pointer(holder, net_offset);
        let inum = Probed::field(namespace, constant(&layout.net_inum));
        let net = if constant(&layout.has_cookie) != 0 {
            Probed::field(namespace, constant(&layout.net_cookie))
        } else {
            namespace as u64
        };
        if inum < LEAST_NAMESPACE_NUMBER || net == 0 || ifindex >= IFINDEX_LIMIT {
            return NOWHERE;
        }
        Place {
            net,
            inum,
            ifindex,
            origin: origin::SENT,
        }
    }
}

/// Copies the name of the device that the packet is on, or is sent through. It means nothing where `skb->dev` is no
/// device; the agent knows from the key's origin. (Asked for here, it would keep the verifier from seeing that all
/// origins are alike to what comes between.)
///
/// # Safety
/// `skb` must be the tracepoint's argument, and `name` have room for a name.
#[inline(always)]
pub unsafe fn name_of_device(skb: *const u8, name: *mut DeviceName) {
    // SAFETY: the caller's promise; the helper checks the source. The writes are volatile, or they would become a call.
    unsafe {
        (&raw mut (*name)[0]).write_volatile(0);
        (&raw mut (*name)[1]).write_volatile(0);
        let mut device = Probed::pointer(skb, layout!(skb_dev));
        if device.is_null() {
            device = route_device(skb, &super::DROP_LAYOUT);
        }
        let from = device.wrapping_add(layout!(device_name) as usize);
        bpf_probe_read_kernel(name.cast(), size_of::<DeviceName>() as u32, from.cast());
    }
}

/// The place in the namespace that `holder` points to, or nowhere if that or the index is not believable.
///
/// # Safety
/// As [`Read::field`].
#[inline(always)]
unsafe fn in_namespace<R: Read>(
    holder: *const u8,
    layout: &'static DropLayout,
    net_offset: u32,
    ifindex: u32,
    origin: u8,
) -> Place {
    if ifindex == 0 || ifindex >= IFINDEX_LIMIT {
        return NOWHERE;
    }
    // SAFETY: the caller's promise; a null pointer reads as 0 in each way of reading.
    unsafe {
        let namespace = R::pointer(holder, net_offset);
        if namespace.is_null() {
            return NOWHERE;
        }
        let inum = R::field(namespace, constant(&layout.net_inum));
        let net = if constant(&layout.has_cookie) != 0 {
            R::field(namespace, constant(&layout.net_cookie))
        } else {
            // The address itself, read as a number: the verifier allows no arithmetic on a typed pointer.
            Probed::field(holder, net_offset)
        };
        if inum < LEAST_NAMESPACE_NUMBER || net == 0 {
            return NOWHERE;
        }
        Place {
            net,
            inum,
            ifindex,
            origin,
        }
    }
}
