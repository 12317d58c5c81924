//! Real documents that the fuzzer changes: the smallest recording of each detector, cut so that thousands of changed ones
//! are tried in a second.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use netdiag_agent::recording::{self, Recording};
use netdiag_diagnosis::{Settings, diagnose};
use serde_json::{Value, json};

/// Entries that a list keeps.
const KEPT: usize = 3;

/// Recordings as they are in files.
pub(crate) static RECORDINGS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let of_detectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/diagnosis/src/detectors");
    let mut folders = entries(&of_detectors);
    folders.sort();
    let smallest = folders.iter().filter_map(|folder| {
        let kernels = entries(&folder.join("testdata"));
        let files = kernels.iter().flat_map(|kernel| entries(kernel));
        files.min_by_key(|file| {
            (
                fs::metadata(file).map_or(u64::MAX, |data| data.len()),
                file.clone(),
            )
        })
    });
    let recordings: Vec<Value> = smallest.map(|file| document(&file)).collect();
    assert!(recordings.len() > 5, "the detectors have recordings");
    recordings
});

/// Reports of nodes with these windows.
pub(crate) static REPORTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let recordings = RECORDINGS.iter().filter_map(|document| {
        netdiag_agent::fuzzing::recording(&serde_json::to_vec(document).ok()?)
    });
    let reports = recordings.filter_map(|Recording { evidence, .. }| {
        let diagnosis = diagnose(&evidence, &Settings::default());
        serde_json::to_value(netdiag_agent::fuzzing::report(&diagnosis, &evidence)).ok()
    });
    reports.collect()
});

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn document(file: &Path) -> Value {
    let recording = recording::read(file).expect("a recording of this repository");
    let mut evidence = serde_json::to_value(&recording.evidence).expect("evidence is data");
    shorten(&mut evidence);
    json!({
        "format": "netdiag-recording",
        "version": 1,
        "header": {
            "node": "n", "kernel": "6.12.1", "architecture": "x86_64", "recordedBy": "fuzz",
        },
        "evidence": evidence,
    })
}

fn shorten(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.truncate(KEPT);
            list.iter_mut().for_each(shorten);
        }
        Value::Object(map) if map.len() > 60 => {
            // A namespace's counters: those that rose are not known here, so some of them.
            let keys: Vec<String> = map.keys().skip(2 * KEPT).cloned().collect();
            for key in keys {
                map.remove(&key);
            }
        }
        Value::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}
