//! No printed command harms, over every recording: none drops what a node needs to talk at all, none sets a limit lower.

use netdiag_diagnosis::{Settings, diagnose, finding::Remedy};

use super::testdata::recordings;

/// Numbers that bound something: a queue, a buffer, a table.
const LIMITS: [&str; 2] = ["txqueuelen", "sysctl"];
/// EtherTypes of IPv4, ARP and IPv6, as nft writes them.
const NEEDED: [&str; 6] = [
    "0x0800",
    "0x0806",
    "0x86dd",
    "type ip ",
    "type arp ",
    "type ip6 ",
];

/// The value that a command sets: behind `=`, else the last word.
fn value(command: &str) -> Option<u64> {
    let word = command.split([' ', '=']).next_back()?;
    word.parse().ok()
}

fn drops_needed(command: &str) -> bool {
    let command = command.to_lowercase();
    command.contains(" drop") && NEEDED.iter().any(|needed| command.contains(needed))
}

/// The command and its undo set a limit, and the command a lower one. The reverse path filter is none: its value is a mode.
fn lowers(command: &str, undo: &str) -> bool {
    let is_limit = LIMITS.iter().any(|limit| command.contains(limit));
    let is_limit = is_limit && !command.contains(".rp_filter=");
    is_limit && value(command) < value(undo)
}

fn harms(remedy: &Remedy) -> bool {
    let command = remedy.command.as_deref().unwrap_or_default();
    let undo = remedy.change.as_ref().and_then(|one| one.undo.as_deref());
    drops_needed(command) || undo.is_some_and(|undo| lowers(command, undo))
}

#[test]
fn no_command_drops_what_a_node_needs_or_lowers_a_limit() {
    let (mut commands, mut harmful) = (0, Vec::new());
    for (file, recording) in recordings() {
        let diagnosis = diagnose(&recording.evidence, &Settings::default());
        for remedy in diagnosis.findings.iter().flat_map(|one| &one.remedies) {
            commands += usize::from(remedy.command.is_some());
            if harms(remedy) {
                harmful.push(format!("{}: {:?}", file.display(), remedy.command));
            }
        }
    }
    assert!(harmful.is_empty(), "{harmful:#?}");
    assert!(commands > 100, "{commands}");
}

#[test]
fn a_harmful_command_is_recognised() {
    assert!(drops_needed(
        "nft 'table netdev a { chain in { ether type 0x0806 drop; }; }'"
    ));
    assert!(!drops_needed(
        "nft 'table netdev a { chain in { ether type 0x88cc drop; }; }'"
    ));
    assert!(lowers(
        "sysctl -w net.core.somaxconn=128",
        "sysctl -w net.core.somaxconn=4096"
    ));
    assert!(!lowers(
        "ip link set dev tap0 txqueuelen 1000",
        "ip link set dev tap0 txqueuelen 2"
    ));
}
