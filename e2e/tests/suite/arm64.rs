//! The agent's image for arm64. Its program runs under emulation, and must say what the one for this machine says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netdiag_e2e::programs;

use crate::image::Image;

/// `e_machine` of programs for arm64, and its place in them (elf(5)).
const EM_AARCH64: u16 = 183;
const E_MACHINE: usize = 18;

#[test]
#[ignore = "needs the agent's image for arm64"]
fn the_image_and_its_program_are_for_arm64() {
    let image = arm64_image();
    assert_eq!(image.config["architecture"], "arm64");
    image.assert_no_path_of_the_build("netdiag-agent");
    let program = fs::read(image.root.path().join("netdiag-agent")).unwrap();
    assert_eq!(program[E_MACHINE..][..2], EM_AARCH64.to_le_bytes());
}

#[test]
#[ignore = "needs the agent's image for arm64, and an emulator"]
fn help_is_the_same_on_arm64() {
    let image = arm64_image();
    for command in [&["--help"][..], &["diagnose", "--help"], &["run", "--help"]] {
        let said = said_alike(&image, command);
        assert!(said.contains("Usage: netdiag-agent"), "{said}");
    }
}

#[test]
#[ignore = "needs the agent's image for arm64, and an emulator"]
fn recordings_are_diagnosed_alike_on_arm64() {
    let image = arm64_image();
    let recordings = recordings();
    for recording in &recordings {
        let recording = recording.to_str().unwrap();
        let said = said_alike(&image, &["diagnose", "-o", "json", "--replay", recording]);
        assert!(said.contains("NodeNetReport"), "{recording}: {said}");
    }
    println!("{} recordings", recordings.len());
}

fn arm64_image() -> Image {
    Image::read(programs::image("netdiag-agent").unwrap())
}

/// Returns the output of both agents for these arguments, which must be equal.
fn said_alike(arm64: &Image, arguments: &[&str]) -> String {
    let here = Command::new(programs::agent().unwrap());
    let mut emulated = Command::new("qemu-aarch64-static");
    emulated.arg(arm64.root.path().join("netdiag-agent"));
    let [here, emulated] = [here, emulated].map(|mut agent| {
        let output = agent.args(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{agent:?}: {}\n{log}",
            output.status
        );
        said
    });
    assert_eq!(here, emulated, "{arguments:?}");
    emulated
}

/// The recordings that the detectors are tested on: a folder for each detector, with one for each kernel in it.
fn recordings() -> Vec<PathBuf> {
    let detectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/diagnosis/src/detectors");
    let mut found = Vec::new();
    for detector in entries(&detectors) {
        let testdata = detector.join("testdata");
        if testdata.is_dir() {
            let (kernels, files): (Vec<_>, Vec<_>) = entries(&testdata)
                .into_iter()
                .partition(|path| path.is_dir());
            found.extend(files);
            found.extend(kernels.iter().flat_map(|kernel| entries(kernel)));
        }
    }
    assert!(
        !found.is_empty(),
        "no recordings in {}",
        detectors.display()
    );
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
