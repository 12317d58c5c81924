//! eBPF probes: what they need from the kernel, how they are loaded, and what they read.
//!
//! [`Kernel::load`] reads once what the running kernel offers. A probe is attached for a window, read as often as the
//! collector likes, and gone when it is dropped.

pub mod btf;
pub mod capabilities;
pub mod drop;
pub mod iterators;
pub mod kallsyms;
mod kernel;
pub mod net_devices;
pub mod packet_sockets;
mod system;
mod wire;

pub use kernel::{Kernel, KernelFacts, Support};
pub use system::{give_back, monotonic_ns, share_one_heap};

/// The eBPF object, built beside the agent.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netdiag-ebpf"));

/// The eBPF object; `None` when the agent was built without one (`AYA_BUILD_SKIP=1`).
pub fn object() -> Option<&'static [u8]> {
    (!OBJECT.is_empty()).then_some(OBJECT)
}
