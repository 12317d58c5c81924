//! The arguments of a program, and two ways to read kernel memory at an offset that is known only when the program is
//! loaded.

#![expect(
    unsafe_code,
    reason = "reads kernel memory at addresses the kernel gave"
)]

use aya_ebpf::{EbpfContext, helpers::bpf_probe_read_kernel};

/// A constant that the agent put in before it loaded the program. The read is volatile, or the compiler would put in
/// the value that it sees.
#[inline(always)]
pub fn constant<T: Copy>(value: &T) -> T {
    // SAFETY: a reference is valid to read.
    unsafe { core::ptr::from_ref(value).read_volatile() }
}

/// A tracepoint's arguments: an array of 64-bit values in typed and raw tracepoints alike.
#[derive(Clone, Copy)]
pub struct Arguments(*const u64);

impl Arguments {
    /// Those that the program was called with.
    #[inline(always)]
    pub fn of(context: &impl EbpfContext) -> Self {
        Self(context.as_ptr().cast())
    }

    /// The `index`th argument, which the tracepoint must have, or the verifier refuses the program. The read is
    /// volatile so that the compiler never moves it before the check of their number.
    #[inline(always)]
    pub fn get<T>(self, index: usize) -> T {
        // SAFETY: the caller has checked the number of arguments.
        unsafe { self.0.add(index).cast::<T>().read_volatile() }
    }
}

/// Reads a field of a kernel structure; what cannot be read is 0.
pub trait Read {
    /// # Safety
    /// `T` must be an integer or a pointer, and `base` an address that the kernel handed to the program, or null.
    unsafe fn field<T: Copy + Default>(base: *const u8, offset: u32) -> T;

    /// A pointer field.
    ///
    /// # Safety
    /// As [`Read::field`].
    unsafe fn pointer(base: *const u8, offset: u32) -> *const u8;
}

/// Plain loads. The verifier allows them where it knows what structure a pointer points to and the offset is a
/// constant, and the kernel turns a fault into 0. Each costs about a nanosecond.
///
/// Only for programs without subprograms. Before Linux 6.4 (0108a4e9f358, "bpf: ensure main program has an extable") a
/// fault may be looked up in an entry of the program that has no exception table, and the kernel panics.
pub struct Direct;

impl Read for Direct {
    #[inline(always)]
    unsafe fn field<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: the verifier has checked the load. It is volatile so that the compiler keeps its offset as it is.
        unsafe { base.add(offset as usize).cast::<T>().read_volatile() }
    }

    #[inline(always)]
    unsafe fn pointer(base: *const u8, offset: u32) -> *const u8 {
        // SAFETY: as in `field`.
        unsafe {
            base.add(offset as usize)
                .cast::<*const u8>()
                .read_volatile()
        }
    }
}

/// `bpf_probe_read_kernel`, which reads any address and costs about 33 nanoseconds.
pub struct Probed;

impl Read for Probed {
    #[inline(always)]
    unsafe fn field<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: the helper checks the address and reports a fault.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast()) }
            .unwrap_or_default()
    }

    #[inline(always)]
    unsafe fn pointer(base: *const u8, offset: u32) -> *const u8 {
        // SAFETY: as in `field`.
        unsafe { Self::field::<u64>(base, offset) as *const u8 }
    }
}
