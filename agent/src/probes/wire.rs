//! Types of maps and globals that aya may copy byte for byte.

use netdiag_abi::Plain;

/// A type that the eBPF programs share with the agent.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Wire<T>(pub T);

#[expect(unsafe_code, reason = "aya's promise that any bytes are a value")]
// SAFETY: the wrapped type promises the same.
unsafe impl<T: Plain> aya::Pod for Wire<T> {}
