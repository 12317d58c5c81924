//! System calls of the probes: memory, the clock of the programs.

use std::{
    fs::File,
    io::{self, Write as _},
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    time::{ClockId, clock_gettime},
};

/// A file that holds these bytes in memory and is gone when it is closed.
///
/// # Errors
/// The kernel has no memory for it.
pub(super) fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("btf", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Returns freed memory to the kernel: aya parses some 20 MB of type information to find one number, and the C library
/// would keep most of that.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "malloc_trim has no safe wrapper")]
pub(crate) fn give_back() {
    // SAFETY: the call has no preconditions and is safe beside other threads.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries return freed memory by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

/// Lets all threads share one heap. Of a thread's own heap the C library never returns the end, so that each thread
/// that once loaded a probe would keep the megabytes that took. Call it before there are threads.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "mallopt has no safe wrapper")]
pub(crate) fn share_one_heap() {
    // SAFETY: the call has no preconditions; it fails, without effect, for a parameter that is not known.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Other C libraries have one heap.
#[cfg(not(target_env = "gnu"))]
pub fn share_one_heap() {}

/// The clock that `bpf_ktime_get_ns` reads: CLOCK_MONOTONIC, in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}
