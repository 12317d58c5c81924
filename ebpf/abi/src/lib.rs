#![no_std]
//! Types that the eBPF programs and the agent share, byte for byte: one module a probe.
//!
//! Every type is `repr(C)`, holds integers only and has no padding, so that the verifier sees it initialised and the
//! agent may read it from a map's bytes ([`Plain`]).

pub mod drop;
pub mod frame_copies;
pub mod gro;
pub mod inet_sockets;
pub mod net_devices;
pub mod open_files;
pub mod packet_sockets;
mod plain;
pub mod retransmissions;

pub use plain::Plain;
