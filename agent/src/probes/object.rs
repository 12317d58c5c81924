//! The eBPF object, built beside the agent, and a loader of it.

use aya::EbpfLoader;

use super::{description::Description, error::Error, kernel::Kernel};
use crate::limits;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netdiag-ebpf"));

/// The eBPF object; `None` when the agent was built without one (`AYA_BUILD_SKIP=1`).
pub(crate) fn object() -> Option<&'static [u8]> {
    (!OBJECT.is_empty()).then_some(OBJECT)
}

/// The object and a loader that gives the large maps of all probes but these the least size. A load makes all maps of
/// the object, and kernels before 5.11 charge each to the limit on locked memory.
///
/// # Errors
/// The agent was built without eBPF.
pub(super) fn loader<'a>(
    kernel: &Kernel,
    own: &[&Description],
) -> Result<(EbpfLoader<'a>, &'static [u8]), Error> {
    let object = object().ok_or(Error::NotBuilt)?;
    limits::raise_locked_memory();
    let mut loader = EbpfLoader::new();
    // The loader has parsed the kernel's types, some 20 MB, for relocations that these programs do not have.
    loader.btf(None);
    let is_own = |name: &str| own.iter().any(|probe| name.starts_with(probe.maps));
    for name in kernel.large_maps().filter(|name| !is_own(name)) {
        loader.map_max_entries(name, 1);
    }
    Ok((loader, object))
}
