//! Types of maps and globals that aya may copy byte for byte.

use netdiag_abi::{
    drop::{DropKey, DropLayout},
    frame_copies::{Copies, CopyKey, FrameCopiesLayout},
    gro::{GroCounts, GroKey, GroLayout},
    net_devices::{NetDeviceLayout, NetDeviceRecord},
    packet_sockets::{PacketSocketLayout, PacketSocketRecord},
    retransmissions::{RememberedDrop, RetransmissionLayout, Retransmitted},
};

/// A type that the eBPF programs share with the agent.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Wire<T>(pub T);

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<Copies> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<CopyKey> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<DropKey> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<DropLayout> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<FrameCopiesLayout> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<GroCounts> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<GroKey> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<GroLayout> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<NetDeviceLayout> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<NetDeviceRecord> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<PacketSocketLayout> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<PacketSocketRecord> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<RememberedDrop> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<RetransmissionLayout> {}

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: integers alone, repr(C), no padding.
unsafe impl aya::Pod for Wire<Retransmitted> {}
