//! Soft limits of this process, raised to the hard ones, which takes no capability.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit on locked memory. Kernels before 5.11 charge maps to it; later ones do not look at it. A failure
/// shows when a map is made.
pub(crate) fn raise_locked_memory() {
    raise(Resource::Memlock);
}

/// Raises the limit of open files: a reading holds a descriptor per namespace, and a node may have more of them than
/// the usual limit of 1,024.
pub(crate) fn raise_open_files() {
    raise(Resource::Nofile);
}

fn raise(resource: Resource) {
    let mut limit = getrlimit(resource);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // What works within the lower limit goes on working.
        let _ = setrlimit(resource, limit);
    }
}
