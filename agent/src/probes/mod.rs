//! eBPF probes: what they need from the kernel, how they are loaded, and what they read.
//!
//! [`Kernel::load`] reads once what the running kernel offers. A probe is attached for a window, read as often as the
//! collector likes, and gone when it is dropped.

pub mod btf;
pub mod drop;
pub mod frame_copies;
pub mod gro;
pub mod iterators;
pub mod kallsyms;
mod kernel;
#[cfg(test)]
mod memory;
pub mod net_devices;
mod on_demand;
pub mod packet_sockets;
mod places;
mod refusal;
pub mod retransmissions;
mod system;
mod tracepoint;
mod wire;

pub use kernel::{Kernel, KernelFacts, Support};
pub use on_demand::OnDemandProbe;
pub use system::{give_back, monotonic_ns, share_one_heap};

/// The eBPF object, built beside the agent.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netdiag-ebpf"));

/// The eBPF object; `None` when the agent was built without one (`AYA_BUILD_SKIP=1`).
pub fn object() -> Option<&'static [u8]> {
    (!OBJECT.is_empty()).then_some(OBJECT)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    /// Modules of a folder, by their files.
    fn modules(folder: &str, without: &[&str]) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let name = |file: fs::DirEntry| {
            let path = file.path();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            let name = path.file_stem()?.to_str()?.to_owned();
            (is_rust && !without.contains(&name.as_str())).then_some(name)
        };
        files.filter_map(Result::ok).filter_map(name).collect()
    }

    #[test]
    fn a_probe_is_three_files_of_one_name() {
        let shared = modules("../ebpf/abi/src", &["lib"]);
        assert_eq!(modules("../ebpf/src", &["main", "read"]), shared);
        let agent = modules("src/probes", &[]);
        assert!(
            agent.is_superset(&shared),
            "{agent:?} lacks some of {shared:?}"
        );
    }
}
