//! Images, for tests to look into.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use netdiag_e2e::cleanup::TemporaryFolder;
use serde_json::Value;

/// An image with its files unpacked.
pub struct Image {
    pub archive: PathBuf,
    pub config: Value,
    pub root: TemporaryFolder,
}

impl Image {
    /// Reads a docker archive.
    pub fn read(archive: PathBuf) -> Self {
        let files = files(&archive);
        let json = |file: &str| serde_json::from_slice::<Value>(&files[file]).unwrap();
        let manifest = json("manifest.json");
        let root = TemporaryFolder::new("image").unwrap();
        for layer in manifest[0]["Layers"].as_array().unwrap() {
            let layer = files[layer.as_str().unwrap()].as_slice();
            tar::Archive::new(layer).unpack(root.path()).unwrap();
        }
        Self {
            config: json(manifest[0]["Config"].as_str().unwrap()),
            archive,
            root,
        }
    }

    /// Asserts that its program does not tell where the Dockerfile compiled it.
    #[track_caller]
    pub fn assert_no_path_of_the_build(&self, program: &str) {
        let bytes = fs::read(self.root.path().join(program)).unwrap();
        for path in [
            "/cargo/registry",
            "/vendor/kube-",
            "/vendor/tokio-",
            "/netdiag/agent/",
            "/netdiag/controller/",
        ] {
            let mut places = bytes.windows(path.len());
            let found = places.position(|bytes| bytes == path.as_bytes());
            let around = found.map(|at| String::from_utf8_lossy(&bytes[at..][..80]));
            assert_eq!(around, None, "{program}");
        }
    }
}

/// Reads the files of an archive, by name.
fn files(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(fs::File::open(archive).unwrap());
    let read = |entry: std::io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    };
    archive.entries().unwrap().map(read).collect()
}
