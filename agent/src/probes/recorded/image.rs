//! Reads the facts of a kernel from its image, without booting it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::{
    Error, Member, PROBES, RecordedKernel, Types, folder, hooks, kallsyms_table, site_functions,
    write,
};
use crate::probes::{btf::KernelTypes, facts::KernelFacts};

/// The variable with a folder that `cargo xtask kernel-facts` has made, one below for each kernel: `vmlinux`, and
/// `modules/*.ko`.
const UNPACKED: &str = "NETDIAG_UNPACKED_KERNELS";
/// `struct btf_header`: magic, version, flags, length of the header.
const BTF_HEADER: [u8; 8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0];
const BTF_HEADER_BYTES: usize = 24;

/// Notes what is asked for.
struct Recorder<'a> {
    types: &'a KernelTypes,
    kernel: RefCell<RecordedKernel>,
}

impl Types for Recorder<'_> {
    fn member(&self, structure: &str, path: &str) -> Result<Member, Error> {
        let found = self.types.member(structure, path);
        let name = RecordedKernel::place(structure, path);
        let place = found.as_ref().ok().copied();
        self.kernel.borrow_mut().members.insert(name, place);
        found
    }

    fn size_of(&self, structure: &str) -> Option<usize> {
        let size = self.types.size_of(structure);
        let name = structure.to_owned();
        self.kernel.borrow_mut().sizes.insert(name, size);
        size
    }

    fn enumeration(&self, name: &str) -> Vec<(u32, String)> {
        let members = self.types.enumeration(name);
        if !members.is_empty() {
            let enums = &mut self.kernel.borrow_mut().enums;
            enums.insert(name.to_owned(), members.clone());
        }
        members
    }

    fn enumerator(&self, enumeration: &str, name: &str) -> Option<u32> {
        let value = self.types.enumerator(enumeration, name);
        let name = RecordedKernel::place(enumeration, name);
        self.kernel.borrow_mut().enumerators.insert(name, value);
        value
    }

    fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        let arguments = self.types.tracepoint_text(name);
        let tracepoints = &mut self.kernel.borrow_mut().tracepoints;
        tracepoints.insert(name.to_owned(), arguments);
        self.types.tracepoint_arguments(name)
    }
}

fn record(unpacked: &Path) -> RecordedKernel {
    let release = unpacked.file_name().unwrap().to_str().unwrap().to_owned();
    let image = fs::read(unpacked.join("vmlinux")).unwrap();
    let types = types(&image).unwrap_or_else(|| panic!("{release} carries no types"));
    let architecture = match release.ends_with("-arm64") {
        true => "aarch64",
        false => "x86_64",
    };
    let mut recorder = Recorder {
        types: &types,
        kernel: RefCell::default(),
    };
    let mut facts = KernelFacts {
        architecture: architecture.to_owned(),
        ..KernelFacts::default()
    };
    facts.read_types(&recorder, hooks());
    for probe in &PROBES {
        let resolved = (probe.description.resolve)(&recorder, &facts);
        if let Err(error) = resolved {
            println!("{release}: {}: {error}", probe.description.name);
        }
    }

    let mut functions =
        kallsyms_table::functions(&image).unwrap_or_else(|| panic!("{release} carries no symbols"));
    println!("{release}: {} functions in its image", functions.len());
    let kernel = recorder.kernel.get_mut();
    add_enums(kernel, &types);
    for path in modules(unpacked) {
        let bytes = fs::read(&path).unwrap();
        let module = object::File::parse(&bytes[..]).unwrap();
        let code = module
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && !symbol.is_undefined());
        functions.extend(code.filter_map(|symbol| symbol.name().ok().map(str::to_owned)));
        if let Some(section) = module.section_by_name(".BTF")
            && let Some(types) = types.of_module(section.data().unwrap())
        {
            add_enums(kernel, &types);
        }
    }
    kernel.release = release;
    kernel.architecture = architecture.to_owned();
    kernel.functions = wanted(&functions);
    kernel.clone()
}

fn modules(unpacked: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(unpacked.join("modules")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn types(image: &[u8]) -> Option<KernelTypes> {
    let mut from = 0;
    while let Some(found) = kallsyms_table::find(image.get(from..)?, &BTF_HEADER) {
        let header = image.get(from + found..)?;
        let word = |at: usize| {
            let bytes = header.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        // Offsets and lengths of types and strings.
        let (types, strings) = (word(8)? + word(12)?, word(16)? + word(20)?);
        let bytes = header.get(..BTF_HEADER_BYTES + types.max(strings));
        if let Some(types) = bytes.and_then(KernelTypes::of_image)
            && types.size_of("sk_buff").is_some()
        {
            return Some(types);
        }
        from += found + 1;
    }
    None
}

/// The enums of drop reasons.
fn add_enums(kernel: &mut RecordedKernel, types: &KernelTypes) {
    for name in types.enums_that_end_in("drop_reason") {
        let members = types.enumeration(&name);
        if !members.is_empty() {
            kernel.enums.entry(name).or_insert(members);
        }
    }
}

/// The functions of the table of sites, with their suffixes. `.cold` is the part of a function that seldom runs, which
/// is there beside it.
fn wanted(functions: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = site_functions()
        .map(|function| (function.to_owned(), BTreeSet::new()))
        .collect();
    for function in functions.iter().filter(|name| !name.ends_with(".cold")) {
        let (stem, suffix) = match function.find('.') {
            Some(at) => function.split_at(at),
            None => (function.as_str(), "plain"),
        };
        if let Some(suffixes) = wanted.get_mut(stem) {
            suffixes.insert(suffix.to_owned());
        }
    }
    wanted
}

#[test]
#[ignore = "cargo xtask kernel-facts calls it"]
fn write_the_files() {
    let unpacked = env::var_os(UNPACKED).expect(UNPACKED);
    for entry in fs::read_dir(unpacked).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("vmlinux").is_file() {
            continue;
        }
        let kernel = record(&path);
        let text = write::text(&kernel);
        assert_eq!(write::parse(&text).unwrap(), kernel);
        fs::write(folder().join(format!("{}.txt", kernel.release)), text).unwrap();
    }
}
