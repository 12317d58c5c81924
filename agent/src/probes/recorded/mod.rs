//! Facts of kernels that do not run here, one file each in `agent/kernels`, and the tests that hold probes and tables
//! against all of them. `cargo xtask kernel-facts` writes the files.

mod image;
mod kallsyms_table;
mod tests;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use netdiag_diagnosis::kernel::Site;

use super::{
    btf::Error,
    facts::KernelFacts,
    registry::PROBES,
    types::{Member, Types},
};

/// A kernel as its file describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordedKernel {
    pub release: String,
    /// As `uname -m` has it.
    pub architecture: String,
    /// Each tracepoint that a probe hooks, with the types of its arguments in C; none where the kernel lacks it.
    pub tracepoints: BTreeMap<String, Option<String>>,
    /// Each member of a structure that a probe asks for; none where the kernel lacks it.
    pub members: BTreeMap<String, Option<Member>>,
    pub sizes: BTreeMap<String, Option<usize>>,
    /// Single members of enums that are not recorded whole.
    pub enumerators: BTreeMap<String, Option<u32>>,
    /// Enums that are recorded whole: those of drop reasons, also of modules.
    pub enums: BTreeMap<String, Vec<(u32, String)>>,
    /// Each function of the table of sites, with the suffixes under which the kernel has it; none where it has none.
    pub functions: BTreeMap<String, BTreeSet<String>>,
}

/// The folder with the files.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

/// Every recorded kernel.
pub(super) fn all() -> Vec<RecordedKernel> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        write::parse(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    files.into_iter().map(read).collect()
}

/// The tracepoints that probes hook.
pub(super) fn hooks() -> impl Iterator<Item = &'static str> + Clone {
    let hooks = PROBES.iter().flat_map(|probe| probe.description.hooks);
    hooks.map(|hook| hook.tracepoint)
}

/// The functions of the table of sites.
pub(super) fn site_functions() -> impl Iterator<Item = &'static str> {
    Site::all().flat_map(Site::functions).copied()
}

impl RecordedKernel {
    /// The facts as the agent would read them on this kernel.
    pub(super) fn facts(&self) -> KernelFacts {
        let mut facts = KernelFacts {
            release: self.release.clone(),
            architecture: self.architecture.clone(),
            ..KernelFacts::default()
        };
        facts.read_types(self, hooks());
        facts
    }

    fn place(structure: &str, path: &str) -> String {
        format!("{structure}.{path}")
    }
}

impl Types for RecordedKernel {
    fn member(&self, structure: &str, path: &str) -> Result<Member, Error> {
        let name = Self::place(structure, path);
        let found = self.members.get(&name).copied();
        let found = found.unwrap_or_else(|| {
            panic!(
                "{} has no record of {name}: cargo xtask kernel-facts",
                self.release
            )
        });
        found.ok_or_else(|| Error::no_member(structure, path))
    }

    fn size_of(&self, structure: &str) -> Option<usize> {
        self.sizes.get(structure).copied().flatten()
    }

    fn enumeration(&self, name: &str) -> Vec<(u32, String)> {
        self.enums.get(name).cloned().unwrap_or_default()
    }

    fn enumerator(&self, enumeration: &str, name: &str) -> Option<u32> {
        let name = Self::place(enumeration, name);
        self.enumerators.get(&name).copied().flatten()
    }

    fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        let arguments = self.tracepoints.get(name)?.as_ref()?;
        Some(arguments.split(", ").count())
    }
}
