//! eBPF programs of the agent, one module a probe.
#![no_std]
#![no_main]

mod drop;
mod frame_copies;
mod gro;
mod inet_sockets;
mod net_devices;
mod open_files;
mod packet_sockets;
mod read;
mod retransmissions;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel reads the licence from this section; its helpers for tracing are for GPL-compatible programs only.
#[expect(
    unsafe_code,
    reason = "a section of that name is what the kernel asks for"
)]
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
