//! System calls of the probes that have no safe wrapper: limits, memory, the clock of the programs.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{FromRawFd as _, OwnedFd},
};

/// A file that holds these bytes in memory and is gone when it is closed.
///
/// # Errors
/// The kernel has no memory for it.
#[expect(unsafe_code, reason = "memfd_create has no safe wrapper in libc")]
pub fn memory_file(bytes: &[u8]) -> io::Result<File> {
    // SAFETY: the name is a C string.
    let descriptor = unsafe { libc::memfd_create(c"btf".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave this descriptor, and nobody else owns it.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    file.write_all(bytes)?;
    Ok(file)
}

/// Raises the soft limit on locked memory to the hard one, which takes no capability. Kernels before 5.11 charge maps
/// to it; later ones do not look at it. A failure shows when a map is made.
#[expect(
    unsafe_code,
    reason = "getrlimit and setrlimit have no safe wrapper in libc"
)]
pub fn raise_locked_memory_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a pointer to an initialised structure that outlives them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) == 0
            && limit.rlim_cur < limit.rlim_max
        {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit);
        }
    }
}

/// Returns freed memory to the kernel: aya parses some 20 MB of type information to find one number, and the C library
/// would keep most of that.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "malloc_trim has no safe wrapper")]
pub fn give_back() {
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
pub fn share_one_heap() {
    // SAFETY: the call has no preconditions; it fails, without effect, for a parameter that is not known.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Other C libraries have one heap.
#[cfg(not(target_env = "gnu"))]
pub fn share_one_heap() {}

/// The clock that `bpf_ktime_get_ns` reads: CLOCK_MONOTONIC, in nanoseconds.
#[expect(unsafe_code, reason = "std's Instant does not show its value")]
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a structure that outlives the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}
