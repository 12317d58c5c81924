//! The images that the chart is installed with: labelled, and nothing in them but one static program.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use netdiag_e2e::cleanup::TemporaryFolder;
use netdiag_e2e::process::{self, Process};
use netdiag_e2e::{programs, wait};
use serde_json::json;

use crate::image::Image;

const LABELS: [&str; 8] = [
    "title",
    "description",
    "version",
    "revision",
    "created",
    "licenses",
    "url",
    "source",
];

#[test]
#[ignore = "needs images"]
fn images_are_labelled_and_say_who_they_run_as() {
    for (name, user) in [
        ("netdiag-agent", "0"),
        ("netdiag-controller", "65532:65532"),
    ] {
        let image = image_of(name);
        assert_eq!(image.config["config"]["User"], user, "{name}");
        assert_eq!(
            image.config["config"]["Entrypoint"],
            json!([format!("/{name}")])
        );
        for label in LABELS {
            let label = format!("org.opencontainers.image.{label}");
            let told = image.config["config"]["Labels"][&label].as_str();
            assert!(
                told.is_some_and(|told| !told.is_empty()),
                "{name} has no {label}"
            );
        }
        assert_eq!(
            image.config["config"]["Labels"]["org.opencontainers.image.title"],
            name
        );
    }
}

#[test]
#[ignore = "needs images"]
fn a_program_runs_with_no_other_file_in_its_image() {
    for name in ["netdiag-agent", "netdiag-controller"] {
        let image = image_of(name);
        let files = fs::read_dir(image.root.path()).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, [name]);
        let program = fs::read(image.root.path().join(name)).unwrap();
        assert!(!names_an_interpreter(&program), "{name} asks for a loader");
        let mut inside = Command::new("chroot");
        inside
            .arg(image.root.path())
            .args([&format!("/{name}"), "--version"]);
        let said = process::run(&mut inside).unwrap();
        let version = &image.config["config"]["Labels"]["org.opencontainers.image.version"];
        assert_eq!(said.trim(), format!("{name} {}", version.as_str().unwrap()));
    }
}

/// A static program has the resolver linked in; files and devices are those that every container has beside its image.
#[test]
#[ignore = "needs images"]
fn a_program_resolves_names_without_libraries() {
    let image = image_of("netdiag-controller");
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = api.local_addr().unwrap().port();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": {
            "server": format!("https://api.inside:{port}"), "certificate-authority": "/ca.pem",
        } }],
        "users": [{ "name": "c", "user": { "token": "none" } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
    });
    let root = image.root.path();
    fs::create_dir(root.join("etc")).unwrap();
    fs::create_dir(root.join("dev")).unwrap();
    let mut devices = Command::new("cp");
    devices.args(["--archive", "/dev/random", "/dev/urandom"]);
    process::run(devices.arg(root.join("dev"))).unwrap();
    fs::write(root.join("etc/hosts"), "127.0.0.1 api.inside\n").unwrap();
    let authority = rcgen::generate_simple_self_signed(["api.inside".to_owned()]).unwrap();
    fs::write(root.join("ca.pem"), authority.cert.pem()).unwrap();
    fs::write(root.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let mut inside = Command::new("chroot");
    inside.arg(root).arg("/netdiag-controller");
    inside.args(["run", "--kubeconfig", "/kubeconfig"]);
    let log = TemporaryFolder::new("resolver").unwrap();
    let controller = Process::start("controller", inside, &log.path().join("log")).unwrap();
    api.set_nonblocking(true).unwrap();
    wait::until("a connection", wait::LIMIT, || {
        controller.check_running()?;
        Ok(Some(api.accept()?))
    })
    .unwrap();
}

/// The image of this name that the suite was given.
pub fn image_of(name: &str) -> Image {
    Image::read(programs::image(name).unwrap())
}

/// True if a 64-bit ELF program has a segment of type PT_INTERP (elf(5)), which names the loader of its libraries.
fn names_an_interpreter(program: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&program[at..at + length]);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    assert_eq!(&program[..5], b"\x7fELF\x02");
    let (table, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    assert!(count > 0, "a program has segments");
    (0..count).any(|segment| number(table + segment * size, 4) == PT_INTERP as usize)
}

#[test]
fn a_program_with_libraries_names_its_loader() {
    let shell = fs::read("/bin/sh").unwrap();
    assert!(names_an_interpreter(&shell));
}
