//! Facts of many kernels (`agent/kernels`, written by `cargo xtask kernel-facts`), for tests of the tables.

use std::{collections::BTreeSet, fs, path::Path};

use super::Reason;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernels");
/// The enums of drop reasons, and what their members begin with where it is no part of the reason.
const ENUMS: [(&str, &str); 3] = [
    ("skb_drop_reason", "SKB_DROP_REASON_"),
    ("qdisc_drop_reason", ""),
    ("ovs_drop_reason", ""),
];

/// A kernel, as far as the tables are about it.
pub(crate) struct RecordedKernel {
    pub(crate) release: String,
    /// The drop reasons that it gives.
    pub(crate) reasons: Vec<Reason>,
    /// The functions of the table of sites that it has, with or without a suffix.
    pub(crate) functions: BTreeSet<String>,
}

/// Every recorded kernel.
pub(crate) fn all() -> Vec<RecordedKernel> {
    let mut files: Vec<_> = fs::read_dir(Path::new(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| read(&fs::read_to_string(path).unwrap()))
        .collect()
}

fn read(text: &str) -> RecordedKernel {
    let mut kernel = RecordedKernel {
        release: String::new(),
        reasons: Vec::new(),
        functions: BTreeSet::new(),
    };
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [key, name, value, ..] = words[..] else {
            continue;
        };
        match key {
            "kernel" => kernel.release = name.to_owned(),
            "function" if value != "-" => {
                kernel.functions.insert(name.to_owned());
            }
            _ => {
                let prefix = ENUMS.iter().find(|(known, _)| *known == key);
                kernel.reasons.extend(prefix.and_then(|(_, prefix)| {
                    let name = name.strip_prefix(prefix).unwrap_or(name);
                    let is_number = name.starts_with("__")
                        || name.ends_with("MAX")
                        || name.ends_with("SUBSYS_MASK");
                    let is_drop = !name.starts_with("SKB_NOT_DROPPED") && name != "SKB_CONSUMED";
                    (is_drop && !is_number).then(|| Reason::from(name))
                }));
            }
        }
    }
    kernel
}
