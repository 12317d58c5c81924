//! eBPF probes: what they need from the kernel, how they are loaded, and what they read.
//!
//! [`Kernel::load`] reads once what the running kernel offers. A probe is attached for a window, read as often as the
//! collector likes, and gone when it is dropped.

mod btf;
mod description;
pub(crate) mod drop;
mod error;
mod facts;
mod frame_copies;
mod gro;
mod inet_sockets;
pub(crate) mod iterators;
pub(crate) mod kallsyms;
mod kernel;
mod net_devices;
mod object;
mod on_demand;
mod open_files;
pub(crate) mod packet_sockets;
mod places;
mod probe;
pub(crate) mod question;
#[cfg(test)]
mod recorded;
mod refusal;
pub(crate) mod registry;
mod retransmissions;
pub(crate) mod standing;
mod system;
mod tracepoint;
mod turn;
mod types;
mod watch;
mod wire;

pub(crate) use error::Error;
pub(crate) use facts::KernelFacts;
pub(crate) use kernel::Kernel;
pub(crate) use system::{give_back, monotonic_ns, share_one_heap};
pub(crate) use turn::wait_for_turn;
pub(crate) use watch::ProbeWatch;

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

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
    fn a_probe_has_one_name_in_the_kernel_in_the_shared_types_and_in_the_registry() {
        let shared = modules("../ebpf/abi/src", &["lib", "open_files", "plain"]);
        assert_eq!(
            modules("../ebpf/src", &["main", "open_files", "read"]),
            shared
        );
        let names = registry::PROBES.iter().map(|probe| probe.description.name);
        let registered: BTreeSet<_> = names.map(|name| name.replace('-', "_")).collect();
        assert_eq!(registered, shared);
    }
}
