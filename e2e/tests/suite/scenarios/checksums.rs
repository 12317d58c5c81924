//! Half-made checksums that a program between two pods passes on, and what only looks so.

use anyhow::Result;
use netdiag_e2e::scenarios::{Fault, LostChecksum, WrongChecksums};
use serde_json::Value;

use super::{Harness, assert_harmless, kernel_is_since};
use crate::kernels::Leftover;
use crate::outcome::Outcome;

/// Seconds of a window.
const WINDOW: u64 = 10;

/// The result of a diagnosis while the client talked.
struct Played {
    made: WrongChecksums,
    /// The process id of the program in between.
    forwarder: u32,
    outcome: Outcome,
}

/// Plays a fault with that many datagrams of each kind, whose packets the kernel shows all.
fn play(harness: &Harness, fault: Fault, datagrams: u64) -> Result<Played> {
    play_leaving(harness, Leftover::None, fault, datagrams)
}

/// Plays a fault that open connections refuse: a kernel without drop reasons does not show that.
fn play_refused(harness: &Harness, fault: Fault, datagrams: u64) -> Result<Played> {
    let leftover = match kernel_is_since(5, 17) {
        true => Leftover::None,
        false => Leftover::Because(
            "before 5.17 tcp_drop frees without an event what an open connection refuses",
        ),
    };
    play_leaving(harness, leftover, fault, datagrams)
}

fn play_leaving(
    harness: &Harness,
    leftover: Leftover,
    fault: Fault,
    datagrams: u64,
) -> Result<Played> {
    let stage = harness.node("checksums")?;
    let scenario = LostChecksum::new(stage.node(), fault)?;
    let talk = |_| scenario.talk(datagrams);
    let (made, outcome) = stage.watch_leaving(leftover, WINDOW, talk)?;
    Ok(Played {
        made,
        forwarder: scenario.forwarder(),
        outcome,
    })
}

/// Packet sockets pass half-made checksums on.
pub fn lost_by_a_program_with_packet_sockets(harness: &Harness) -> Result<()> {
    let outcome = lost_at_arrival(harness, Fault::HalfMade)?;
    outcome.assert_rolled_up("Critical");
    outcome.assert_affected(1);
    Ok(())
}

/// TUN devices that packets are routed through pass them on.
pub fn lost_by_a_program_with_tun_devices(harness: &Harness) -> Result<()> {
    lost_at_arrival(harness, Fault::HalfMadeByTuns).map(drop)
}

/// Half-made checksums that arrive at pod `server`: connections, and datagrams read at once, after a poll, and short.
fn lost_at_arrival(harness: &Harness, fault: Fault) -> Result<Outcome> {
    let played = play(harness, fault, 25)?;
    let Played { made, outcome, .. } = &played;
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
    assert_forwarder(finding, played.forwarder);
    assert_eq!(finding["subject"]["container"], "forwarder");
    Ok(played.outcome)
}

/// Half-made checksums that die in connection tracking's wake: at a rule against invalid packets, or without a route,
/// because an invalid packet is not translated.
pub fn lost_before_a_filter_and_a_service(harness: &Harness) -> Result<()> {
    let played = play(harness, Fault::HalfMadeBeforeFilter, 10)?;
    let Played { made, outcome, .. } = &played;
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
    assert_forwarder(finding, played.forwarder);
    assert_client_is_named(finding);
    assert_nothing_else(outcome);
    Ok(())
}

/// Half-made checksums under translated addresses, which leave only the second proof.
pub fn lost_before_addresses_are_translated(harness: &Harness) -> Result<()> {
    let played = play(harness, Fault::HalfMadeBeforeTranslation, 10)?;
    let Played { made, outcome, .. } = &played;
    assert_eq!((made.connected, made.read), (0, 0), "{made:?}");
    assert_eq!(made.udp + made.udp6, made.datagrams, "{made:?}");
    assert!(made.tcp >= 6, "{made:?}");
    let finding = lost_at_server(made, outcome);
    assert_eq!(finding["confidence"], "Likely");
    assert_forwarder(finding, played.forwarder);
    Ok(())
}

/// TAP devices pass on frames that the sender left to the device to cut.
pub fn lost_of_super_frames_by_a_program_with_tap_devices(harness: &Harness) -> Result<()> {
    lost_of_super_frames(harness, Fault::SuperFrames)
}

/// Packet sockets pass them on.
pub fn lost_of_super_frames_by_a_program_with_packet_sockets(harness: &Harness) -> Result<()> {
    lost_of_super_frames(harness, Fault::SuperFramesBySockets)
}

/// Frames that the sender left to the device to cut: connections come about and crawl.
fn lost_of_super_frames(harness: &Harness, fault: Fault) -> Result<()> {
    let played = play_refused(harness, fault, 10)?;
    let Played { made, outcome, .. } = &played;
    assert_eq!(made.connected, 2, "over IPv4 and IPv6: {made:?}");
    let small_pass = made.read >= made.datagrams * 3 / 4;
    assert!(small_pass, "except what the queue loses: {made:?}");
    assert!(made.tcp >= 6 && made.sent < 20_000_000, "{made:?}");
    if outcome.has_no_reasons() {
        // tcp_drop of 5.10 frees without an event what an open connection refuses: no packet is seen.
        let tcp = outcome.ledger("shop/server", "", "Tcp.InCsumErrors");
        assert_eq!(tcp.unwrap()["increase"], made.tcp, "{tcp:#?}");
        assert_unseen_is_said(outcome);
        return Ok(());
    }
    let finding = lost_at_server(made, outcome);
    assert_eq!(finding["confidence"], "Certain");
    assert_forwarder(finding, played.forwarder);
    Ok(())
}

/// Real corruption, which is no lost checksum.
pub fn program_that_breaks_bytes(harness: &Harness) -> Result<()> {
    let Played { made, outcome, .. } = &play_refused(harness, Fault::BrokenBytes, 30)?;
    assert!(made.connected > 0 && made.tcp > 0, "{made:?}");
    assert!(made.udp > 0 && made.udp6 > 0, "{made:?}");
    let finding = outcome.finding_in("server", "ChecksumDrop", "Corruption", "eth0");
    assert_ne!(finding["severity"], "Info", "{finding:#}");
    assert_between_programs(finding);
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
        return Ok(());
    }
    let broken = increase + made.udp + made.udp6;
    assert_eq!(finding["count"], broken, "{finding:#}");
    outcome.assert_explained("shop/server", "", "Tcp.InCsumErrors", increase);
    Ok(())
}

/// Bits that flip anywhere in a frame, beside a program that could have lost checksums and has not.
pub fn nic_that_flips_bits(harness: &Harness) -> Result<()> {
    let Played { made, outcome, .. } = &play_refused(harness, Fault::FlippedBits, 30)?;
    assert!(made.connected > 0 && made.tcp > 0, "{made:?}");
    assert!(made.udp > 0 && made.udp6 > 0, "{made:?}");
    let finding = outcome.finding_in("server", "ChecksumDrop", "Corruption", "eth0");
    assert_ne!(finding["severity"], "Info", "{finding:#}");
    assert_between_programs(finding);
    let lost = |finding: &&Value| finding["cause"] == "PartialChecksumLost";
    assert_eq!(outcome.all().iter().find(lost), None);
    // A bit of the EtherType makes a frame of a protocol that nobody here receives, which belongs to the corruption; one
    // of the IP header a packet to nowhere or with a header that makes no sense.
    let other = |finding: &&&Value| {
        let of_the_header = finding["cause"].as_str().unwrap().starts_with("IP_");
        let check = finding["check"].as_str().unwrap();
        !(check == "ChecksumDrop" || check == "OtherDrop" && of_the_header)
    };
    let alarming = outcome.alarming();
    let others: Vec<_> = alarming.iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
    Ok(())
}

/// A program that passes on what is unfinished as unfinished.
pub fn program_that_passes_the_note_on(harness: &Harness) -> Result<()> {
    let Played { made, outcome, .. } = &play(harness, Fault::NoteKept, 10)?;
    assert_eq!((made.tcp, made.udp, made.udp6), (0, 0, 0), "{made:?}");
    // A busy program's own queue may lose some.
    assert!(made.read >= made.datagrams * 3 / 4, "{made:?}");
    assert!(made.connected > 2, "{made:?}");
    let checksum = |finding: &&Value| finding["check"] == "ChecksumDrop";
    assert_eq!(outcome.all().iter().find(checksum), None);
    assert_harmless(outcome);
    Ok(())
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

/// No wire lies between the two pods, so no cable is blamed.
#[track_caller]
fn assert_between_programs(finding: &Value) {
    let text = finding.to_string();
    assert!(text.contains("a program on this node"), "{finding:#}");
    assert!(!text.contains("cable"), "{finding:#}");
}

/// The one sender by its device and pod, and the command that ends it there, once.
#[track_caller]
fn assert_client_is_named(finding: &Value) {
    let summary = finding["summary"].as_str().unwrap();
    let named = "from eth0 of pod shop/client to ";
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

/// Asserts that the agent says that there was more than it saw, where the kernel frees without an event.
#[track_caller]
fn assert_unseen_is_said(outcome: &Outcome) {
    let unchecked = outcome.result["unchecked"].as_array().unwrap();
    let said = unchecked.iter().any(|entry| {
        let reason = entry["reason"].as_str().unwrap_or_default();
        entry["check"] == "ChecksumDrop" && reason.contains("shop/server")
    });
    assert!(said, "{unchecked:#?}");
    let counted = |finding: &&Value| {
        finding["cause"] == "Unseen" && finding["subject"]["pod"]["name"] == "server"
    };
    let finding = outcome.all().iter().find(counted);
    let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
    assert_eq!(finding["harm"], "Loss", "{finding:#}");
}

#[track_caller]
fn assert_nothing_else(outcome: &Outcome) {
    let other = |finding: &&&Value| finding["check"] != "ChecksumDrop";
    let alarming = outcome.alarming();
    let others: Vec<_> = alarming.iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
    outcome.assert_balanced();
}
