use std::{fs, path::Path, path::PathBuf};

use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{DropCount, Drops, FrameCopies, Namespace, Observed, OnDemand},
};
use serde_json::json;

use super::{FORMAT, Recording, check_writable, read, write};

/// A folder that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netdiag-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn entries(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn window() -> EvidenceWindow {
    let mut window = EvidenceWindow::default();
    window.node.name = "node-17".to_owned();
    window.node.kernel = "6.1.0-56-cloud-amd64".to_owned();
    window.duration_ms = 35_000;
    window.drops = Observed::Complete {
        value: Drops {
            counts: vec![DropCount {
                count: 3,
                ..DropCount::default()
            }],
            ..Drops::default()
        },
    };
    window
}

fn recording() -> Recording {
    Recording::of(window())
}

fn drops(window: &mut EvidenceWindow) -> &mut Drops {
    match &mut window.drops {
        Observed::Complete { value } => value,
        other => panic!("{other:?}"),
    }
}

/// The error of reading a file with these bytes.
fn error_of(bytes: &[u8]) -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = Folder::new(&format!("error-{number}"));
    let path = folder.file("r.json");
    fs::write(&path, bytes).unwrap();
    read(&path).unwrap_err().to_string()
}

fn encoded(name: &str, evidence: EvidenceWindow) -> Vec<u8> {
    let folder = Folder::new(&format!("encoded-{name}"));
    let path = folder.file(name);
    write(&path, &Recording::of(evidence)).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn what_was_written_is_read_back_compressed_or_not() {
    let folder = Folder::new("recording");
    for name in ["r.json", "r.json.gz"] {
        let path = folder.file(name);
        write(&path, &recording()).unwrap();
        // A second run replaces the first, with the same bytes.
        let first = fs::read(&path).unwrap();
        write(&path, &recording()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        assert_eq!(first[0] == b'{', name == "r.json");
        assert_eq!(read(&path).unwrap(), recording());
    }
    assert_eq!(folder.entries(), 2);
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_the_window() {
    let folder = Folder::new("unwritable");
    check_writable(&folder.file("r.json")).unwrap();
    check_writable(Path::new("/dev/stdout")).unwrap();
    assert_eq!(folder.entries(), 0, "the check leaves nothing behind");
    for (path, why) in [
        (folder.file("missing/r.json"), "No such file"),
        (folder.0.clone(), "directory"),
    ] {
        let error = check_writable(&path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(why), "{source}");
    }
}

#[test]
fn a_recording_of_an_older_agent_is_read() {
    let old = json!({
        "format": FORMAT,
        "version": 1,
        "header": {"node": "n", "kernel": "6.1", "architecture": "x86_64", "recordedBy": "netdiag-agent 0.0.1"},
        "evidence": window(),
    });
    let folder = Folder::new("old");
    fs::write(folder.file("r.json"), old.to_string()).unwrap();
    let recording = read(&folder.file("r.json")).unwrap();
    assert_eq!(recording.evidence, window());
    assert_eq!(recording.header.btf_sha256, None);
}

#[test]
fn other_files_are_told_apart_from_damaged_ones() {
    for name in ["r.json", "r.json.gz"] {
        let whole = encoded(name, window());
        // Shorter than its own format's name, a file could be anything.
        let shortest = if name == "r.json" {
            FORMAT.len() + 15
        } else {
            12
        };
        for end in [shortest, whole.len() / 2, whole.len() - 3] {
            let error = error_of(&whole[..end]);
            assert!(
                error.contains("cut off or damaged"),
                "{name} {end}: {error}"
            );
        }
    }
    for foreign in [
        &b""[..],
        b"[]",
        b"\x7fELF",
        b"{\"kind\":\"NodeNetReport\"}",
        b"{\"format\":\"other\",\"version\":1}",
    ] {
        let error = error_of(foreign);
        assert!(error.contains("no netdiag recording"), "{error}");
    }
}

#[test]
fn a_newer_version_is_named_even_when_its_evidence_looks_different() {
    let error = error_of(br#"{"format":"netdiag-recording","version":2,"evidence":[1]}"#);
    assert!(error.contains("version 2"), "{error}");
}

#[test]
fn deep_nesting_and_endless_lists_and_texts_are_refused() {
    let deep = format!(
        "{{\"format\":\"{FORMAT}\",\"version\":1,\"evidence\":{}",
        "[".repeat(500_000)
    );
    assert!(error_of(deep.as_bytes()).contains("cut off or damaged"));

    let mut long = window();
    drops(&mut long).counts = vec![DropCount::default(); 20_001];
    assert!(error_of(&encoded("long", long)).contains("a list in it is longer than 20000"));

    let mut wordy = window();
    wordy.node.name = "n".repeat(20_000);
    assert!(error_of(&encoded("wordy", wordy)).contains("a text in it is longer than 16384"));

    let mut named = window();
    let mut namespace = Namespace::default();
    namespace.counters.insert("x".repeat(300), 1);
    named.namespaces.push(namespace);
    assert!(error_of(&encoded("named", named)).contains("a name in it is longer than 256"));
}

#[test]
fn counts_that_no_kernel_reaches_are_refused_wherever_they_stand() {
    let mut many = window();
    drops(&mut many).counts[0].at_least = u64::MAX;
    assert!(error_of(&encoded("drops", many)).contains("more than a kernel counts"));

    let mut copies = window();
    copies.frame_copies = OnDemand::Ran {
        question: String::new(),
        from_ms: 0,
        until_ms: 1,
        value: FrameCopies {
            compared: u64::MAX,
            ..FrameCopies::default()
        },
    };
    assert!(error_of(&encoded("copies", copies)).contains("more than a kernel counts"));

    let mut endless = window();
    endless.duration_ms = u64::MAX;
    assert!(error_of(&encoded("endless", endless)).contains("its window lasts"));
}

/// A file of a few kilobytes that becomes gigabytes.
#[test]
fn a_bomb_is_not_unpacked() {
    let folder = Folder::new("bomb");
    let path = folder.file("r.gz");
    let mut encoder = flate2::write::GzEncoder::new(
        fs::File::create(&path).unwrap(),
        flate2::Compression::fast(),
    );
    let block = vec![b' '; 1 << 20];
    for _ in 0..65 {
        std::io::Write::write_all(&mut encoder, &block).unwrap();
    }
    encoder.finish().unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("larger than"), "{error}");
}
