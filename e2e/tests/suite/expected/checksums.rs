//! Half-made checksums on their ways, and what only looks so.

use netdiag_e2e::scenarios::WrongChecksums;
use serde_json::Value;

use super::assert_harmless;
use crate::outcome::Outcome;

/// Half-made checksums that arrive at pod `server`: connections, and datagrams read at once, after a poll, and short.
#[track_caller]
pub fn lost_checksum(made: &WrongChecksums, forwarder: u32, outcome: &Outcome) {
    assert_eq!((made.connected, made.read), (0, 0), "{made:?}");
    assert_eq!(made.udp + made.udp6, made.datagrams, "{made:?}");
    // Of the four bursts over IPv6 one is verified in a poll, which counts as IPv4.
    assert_eq!(made.udp6, made.datagrams * 3 / 8, "{made:?}");
    assert!(
        made.tcp >= 6,
        "three SYNs each over IPv4 and IPv6: {made:?}"
    );
    let finding = lost_at_server(made, outcome);
    assert_eq!(finding["confidence"], "Certain");
    assert_forwarder(finding, forwarder);
    assert_eq!(finding["subject"]["container"], "forwarder");
}

/// Half-made checksums that die in connection tracking's wake: at a rule against invalid packets, or without a route,
/// since an invalid packet is not translated.
#[track_caller]
pub fn lost_checksum_before_a_filter(made: &WrongChecksums, forwarder: u32, outcome: &Outcome) {
    assert_eq!(
        (made.connected, made.tcp, made.udp, made.udp6),
        (0, 0, 0, 0),
        "no socket saw a packet"
    );
    assert!(made.filtered >= made.datagrams / 2, "{made:?}");
    assert!(made.unrouted >= made.datagrams / 2, "{made:?}");
    let finding = outcome.finding("ChecksumDrop", "PartialChecksumLost", "mesh1");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["confidence"], "Certain");
    let lost = made.filtered + made.unrouted;
    assert_eq!(finding["count"], lost, "{finding:#}");
    assert_forwarder(finding, forwarder);
    assert_client_is_named(finding);
    assert_nothing_else(outcome);
}

/// Half-made checksums under translated addresses, which leave the second proof alone.
#[track_caller]
pub fn lost_checksum_before_translation(made: &WrongChecksums, forwarder: u32, outcome: &Outcome) {
    assert_eq!((made.connected, made.read), (0, 0), "{made:?}");
    assert_eq!(made.udp + made.udp6, made.datagrams, "{made:?}");
    assert!(made.tcp >= 6, "{made:?}");
    let finding = lost_at_server(made, outcome);
    assert_eq!(finding["confidence"], "Likely");
    assert_forwarder(finding, forwarder);
}

/// Frames that the sender left to the device to cut: connections come about and crawl.
#[track_caller]
pub fn lost_checksum_of_super_frames(made: &WrongChecksums, forwarder: u32, outcome: &Outcome) {
    assert_eq!(made.connected, 2, "over IPv4 and IPv6: {made:?}");
    let small_pass = made.read >= made.datagrams * 3 / 4;
    assert!(small_pass, "but for what the queue loses: {made:?}");
    assert!(made.tcp >= 6 && made.sent < 20_000_000, "{made:?}");
    if outcome.has_no_reasons() {
        // tcp_drop of 5.10 frees without an event what an open connection refuses: no packet is seen.
        let tcp = outcome.ledger("shop/server", "", "Tcp.InCsumErrors");
        assert_eq!(tcp.unwrap()["increase"], made.tcp, "{tcp:#?}");
        assert_unseen_is_said(outcome);
        return;
    }
    let finding = lost_at_server(made, outcome);
    assert_eq!(finding["confidence"], "Certain");
    assert_forwarder(finding, forwarder);
}

/// Real corruption, which is no lost checksum.
#[track_caller]
pub fn broken_bytes(made: &WrongChecksums, outcome: &Outcome) {
    assert!(made.connected > 0 && made.tcp > 0, "{made:?}");
    assert!(made.udp > 0 && made.udp6 > 0, "{made:?}");
    let finding = outcome.finding_in("server", "ChecksumDrop", "Corruption", "eth0");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    let lost = |finding: &&Value| finding["cause"] == "PartialChecksumLost";
    assert_eq!(outcome.all().iter().find(lost), None);
    assert_nothing_else(outcome);
    outcome.assert_explained("shop/server", "", "Udp.InCsumErrors", made.udp);
    outcome.assert_explained("shop/server", "", "Udp6.InCsumErrors", made.udp6);
    // A connection that the client has closed still sends what it had left.
    let tcp = outcome
        .ledger("shop/server", "", "Tcp.InCsumErrors")
        .unwrap();
    let increase = tcp["increase"].as_u64().unwrap();
    assert!(increase >= made.tcp, "{tcp:#}");
    if outcome.has_no_reasons() {
        // As above: the ledger must not hide it.
        assert!(finding["count"].as_u64().unwrap() >= made.udp + made.udp6);
        assert_unseen_is_said(outcome);
        return;
    }
    let broken = increase + made.udp + made.udp6;
    assert_eq!(finding["count"], broken, "{finding:#}");
    outcome.assert_explained("shop/server", "", "Tcp.InCsumErrors", increase);
}

/// Bits that flip anywhere in a frame, beside a program that could have lost checksums and has not.
#[track_caller]
pub fn flipped_bits(made: &WrongChecksums, outcome: &Outcome) {
    assert!(made.connected > 0 && made.tcp > 0, "{made:?}");
    assert!(made.udp > 0 && made.udp6 > 0, "{made:?}");
    let finding = outcome.finding_in("server", "ChecksumDrop", "Corruption", "eth0");
    assert_eq!(finding["severity"], "Warning");
    let lost = |finding: &&Value| finding["cause"] == "PartialChecksumLost";
    assert_eq!(outcome.all().iter().find(lost), None);
    // A bit of the EtherType makes a frame of a protocol that nobody here receives, one of the IP header a packet to
    // nowhere or with a header that makes no sense.
    let other = |finding: &&&Value| {
        let of_the_header = finding["cause"].as_str().unwrap().starts_with("IP_");
        let check = finding["check"].as_str().unwrap();
        !(matches!(check, "ChecksumDrop" | "UnhandledProtocol")
            || check == "OtherDrop" && of_the_header)
    };
    let alarming = outcome.alarming();
    assert!(
        !alarming
            .iter()
            .any(|finding| finding["severity"] == "Critical")
    );
    let others: Vec<_> = alarming.iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// A program that passes on what is unfinished as unfinished.
#[track_caller]
pub fn note_kept(made: &WrongChecksums, outcome: &Outcome) {
    assert_eq!((made.tcp, made.udp, made.udp6), (0, 0, 0), "{made:?}");
    // A busy program's own queue may lose some.
    assert!(made.read >= made.datagrams * 3 / 4, "{made:?}");
    assert!(made.connected > 2, "{made:?}");
    let checksum = |finding: &&Value| finding["check"] == "ChecksumDrop";
    assert_eq!(outcome.all().iter().find(checksum), None);
    assert_harmless(outcome);
}

/// All that the server counted is the one fault, in finding and ledger.
#[track_caller]
fn lost_at_server<'a>(made: &WrongChecksums, outcome: &'a Outcome) -> &'a Value {
    let finding = outcome.finding_in("server", "ChecksumDrop", "PartialChecksumLost", "eth0");
    assert_eq!(finding["severity"], "Critical");
    let lost = made.tcp + made.udp + made.udp6;
    assert_eq!(finding["count"], lost, "{finding:#}");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    assert_client_is_named(finding);
    for (counter, increase) in [
        ("Tcp.InCsumErrors", made.tcp),
        ("Udp.InCsumErrors", made.udp),
        ("Udp6.InCsumErrors", made.udp6),
    ] {
        if increase > 0 {
            outcome.assert_explained("shop/server", "", counter, increase);
        }
    }
    assert_nothing_else(outcome);
    finding
}

/// The one sender by its device and pod, and the command that ends it there, once.
#[track_caller]
fn assert_client_is_named(finding: &Value) {
    let summary = finding["summary"].as_str().unwrap();
    let named = "from eth0 of pod shop/client lost";
    assert!(summary.contains(named), "{finding:#}");
    let remedies = finding["remedies"].as_array().unwrap();
    let commands: Vec<_> = remedies
        .iter()
        .filter_map(|remedy| remedy["command"].as_str())
        .collect();
    let [command] = commands[..] else {
        panic!("not one command in {finding:#}")
    };
    assert!(command.ends_with("ethtool -K eth0 tx off"), "{command}");
}

#[track_caller]
fn assert_forwarder(finding: &Value, pid: u32) {
    let forwarder = format!("netdiag-lab (pid {pid})");
    assert_eq!(finding["subject"]["process"], forwarder, "{finding:#}");
}

/// Where the kernel frees without an event, the agent says that there was more than it saw.
#[track_caller]
fn assert_unseen_is_said(outcome: &Outcome) {
    let unchecked = outcome.result["unchecked"].as_array().unwrap();
    let said = unchecked.iter().any(|entry| {
        let reason = entry["reason"].as_str().unwrap_or_default();
        entry["check"] == "ChecksumDrop" && reason.contains("shop/server")
    });
    assert!(said, "{unchecked:#?}");
}

#[track_caller]
fn assert_nothing_else(outcome: &Outcome) {
    let other = |finding: &&&Value| finding["check"] != "ChecksumDrop";
    let alarming = outcome.alarming();
    let others: Vec<_> = alarming.iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
    outcome.assert_balanced();
}
