//! Sockets and listeners that have no room for what arrives.

use anyhow::Result;
use netdiag_e2e::scenarios::{
    FullHandshakes, HeldSockets, Listens, OtherAddress, PacketSandbox, PausedProgram,
};
use serde_json::Value;

use super::control_frames::{follow_remedy, undo_remedy};
use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

const SYNCOOKIES: &str = "net.ipv4.tcp_syncookies";
const SOMAXCONN: &str = "net.core.somaxconn";

/// SYN cookies are off, and clients that never answer hold every place for handshakes of a pod's listener.
pub fn handshakes_that_nobody_completes_in_a_pod(harness: &Harness) -> Result<()> {
    full_handshakes(harness, Listens::InPod)
}

/// The same for a listener on the node.
pub fn handshakes_that_nobody_completes_on_the_node(harness: &Harness) -> Result<()> {
    full_handshakes(harness, Listens::OnNode)
}

fn full_handshakes(harness: &Harness, listens: Listens) -> Result<()> {
    let stage = harness.node("handshakes")?;
    let full = FullHandshakes::new(stage.node(), listens, "0")?;
    let (made, outcome) = stage.watch(8, |_| full.flood())?;
    // Where the machine is slow, places fall free before a client comes: after some seconds without an answer.
    assert!(made.connected < made.tried, "{made:?}");
    assert_eq!(made.overflows, 0, "{made:?}");
    assert!(made.full > 100 && made.refused >= made.full, "{made:?}");
    let finding = only(&outcome, "ListenQueue", "SynQueueFull");
    let count = finding["count"].as_u64().unwrap();
    assert!(count >= made.refused, "{made:?} {finding:#}");
    let pod = match listens {
        Listens::InPod => Value::from("server"),
        Listens::OnNode => Value::Null,
    };
    // Of the node's namespace, other connections may come about meanwhile.
    if listens == Listens::InPod && made.connected == 0 {
        assert_eq!(finding["harm"], "Outage", "{finding:#}");
        assert_eq!(finding["severity"], "Critical", "{finding:#}");
    }
    assert_eq!(finding["subject"]["pod"]["name"], pod, "{finding:#}");
    let text = finding.to_string();
    for named in ["netdiag-lab (pid", ":5001", "tcp_syncookies"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    follow_remedy(finding, stage.node());
    assert_eq!(full.setting(SYNCOOKIES)?, "1");
    let made = full.flood()?;
    assert_eq!((made.connected, made.full), (made.tried, 0), "{made:?}");
    undo_remedy(finding, stage.node());
    assert_eq!(full.setting(SYNCOOKIES)?, "0");
    Ok(())
}

/// The same flood where SYN cookies answer it.
pub fn handshakes_that_cookies_answer(harness: &Harness) -> Result<()> {
    let stage = harness.node("cookies")?;
    let full = FullHandshakes::new(stage.node(), Listens::InPod, "1")?;
    let (made, outcome) = stage.watch(6, |_| full.flood())?;
    assert_eq!(made.connected, made.tried, "{made:?}");
    assert!(made.by_cookies > 100 && made.full == 0, "{made:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// Connections that come while their program gets no processor time are more than its backlog; later it accepts.
pub fn connections_that_wait_for_a_paused_program(harness: &Harness) -> Result<()> {
    let stage = harness.node("accept")?;
    let mut paused = PausedProgram::new(stage.node())?;
    let (made, outcome) = stage.watch(6, |_| paused.connect())?;
    assert!(made > 3, "{made}");
    let finding = only(&outcome, "ListenQueue", "AcceptQueueFull");
    let count = finding["count"].as_u64().unwrap();
    assert!(count >= made, "{made} {finding:#}");
    assert_eq!(finding["harm"], "Delay", "{finding:#}");
    assert_eq!(finding["subject"]["pod"]["name"], "server", "{finding:#}");
    let text = finding.to_string();
    for named in ["netdiag-lab (pid", "10.88.1.1:5001", "[fd88:1::1]:5001"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    follow_remedy(finding, stage.node());
    assert_eq!(paused.setting(SOMAXCONN)?, "6");
    paused.restart()?;
    assert_eq!(paused.connect()?, 0);
    undo_remedy(finding, stage.node());
    assert_eq!(paused.setting(SOMAXCONN)?, "3");
    Ok(())
}

/// A program listens on loopback only, and nobody on another port: both refuse connections, as somebody decided.
pub fn program_on_another_address(harness: &Harness) -> Result<()> {
    let stage = harness.node("loopback")?;
    let ports = OtherAddress::new(stage.node())?;
    let (made, outcome) = stage.watch(4, |_| ports.connect())?;
    assert_eq!(made.connected, [0, made.asked, 0], "{made:?}");
    assert!(made.resets >= 2 * made.asked, "{made:?}");
    assert_quiet(&outcome);
    for (cause, named) in [
        (
            "LoopbackOnly",
            &["netdiag-lab (pid", "127.0.0.1:5001", "[::1]:5001"][..],
        ),
        ("PortClosed", &["TCP port 5003"]),
    ] {
        let is_it = |one: &&Value| one["cause"] == cause && !one["subject"]["pod"].is_null();
        let finding = outcome.all().iter().find(is_it);
        let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
        assert_eq!(finding["decision"], true, "{finding:#}");
        assert_eq!(finding["subject"]["pod"]["name"], "server", "{finding:#}");
        let text = finding.to_string();
        for named in named {
            assert!(text.contains(named), "{named} is not in {finding:#}");
        }
        assert!(!text.contains("5002"), "{finding:#}");
    }
    Ok(())
}

/// A program holds its sockets while more segments arrive than their backlogs hold.
pub fn sockets_that_are_held(harness: &Harness) -> Result<()> {
    const SEGMENTS: u64 = 1500;
    let stage = harness.node("held")?;
    let held = HeldSockets::new(stage.node(), SEGMENTS)?;
    let (made, outcome) = stage.watch(4, |_| held.send(SEGMENTS))?;
    assert!(made.dropped > 100 && made.arrived >= made.sent, "{made:?}");
    let finding = only(&outcome, "SocketBuffer", "SocketBacklogFull");
    assert_eq!(finding["count"], made.dropped, "{made:?} {finding:#}");
    assert_eq!(finding["harm"], "Loss", "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["subject"]["pod"]["name"], "server", "{finding:#}");
    let text = finding.to_string();
    for named in ["netdiag-lab (pid", "10.88.1.1:5001", "[fd88:1::1]:5001"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    Ok(())
}

/// The same while fewer segments arrive.
pub fn sockets_that_are_held_for_a_few_segments(harness: &Harness) -> Result<()> {
    const SEGMENTS: u64 = 40;
    let stage = harness.node("held")?;
    let held = HeldSockets::new(stage.node(), SEGMENTS)?;
    let (made, outcome) = stage.watch(4, |_| held.send(SEGMENTS))?;
    assert!(made.dropped == 0 && made.arrived >= made.sent, "{made:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// A sandbox with a stack of its own does not read: nobody else takes what its packet socket misses.
pub fn sandbox_that_does_not_read(harness: &Harness) -> Result<()> {
    let stage = harness.node("sandbox")?;
    let sandbox = PacketSandbox::new(stage.node(), true)?;
    let (taken, outcome) = stage.watch(4, |_| sandbox.send(0))?;
    assert!(
        taken.missed > 100 && taken.arrived >= taken.sent,
        "{taken:?}"
    );
    let finding = only(&outcome, "SocketBuffer", "PacketSocketFull");
    assert_eq!(finding["count"], taken.missed, "{taken:?} {finding:#}");
    assert_eq!(finding["harm"], "Loss", "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["subject"]["pod"]["name"], "sandbox", "{finding:#}");
    assert!(
        finding.to_string().contains("netdiag-lab (pid"),
        "{finding:#}"
    );
    assert_no_copies(&outcome);
    Ok(())
}

/// A sandbox that reads.
pub fn sandbox_that_reads(harness: &Harness) -> Result<()> {
    let stage = harness.node("sandbox")?;
    let sandbox = PacketSandbox::new(stage.node(), false)?;
    let (taken, outcome) = stage.watch(6, |_| sandbox.send(2))?;
    assert!(
        taken.arrived >= taken.sent && taken.sent == 600,
        "{taken:?}"
    );
    assert_quiet(&outcome);
    assert_no_copies(&outcome);
    Ok(())
}

/// Nothing tells of the copies for which the sandbox's kernel has no route.
#[track_caller]
fn assert_no_copies(outcome: &Outcome) {
    let mut copies = outcome.all().iter().filter(|finding| {
        let is_of_pod = finding["subject"]["pod"]["name"] == "sandbox";
        is_of_pod && finding["check"] != "SocketBuffer"
    });
    assert!(copies.next().is_none(), "{:#}", outcome.result);
}

/// The only finding of Warning or worse.
#[track_caller]
fn only<'a>(outcome: &'a Outcome, check: &str, cause: &str) -> &'a Value {
    outcome.assert_balanced();
    match outcome.alarming()[..] {
        [finding] if finding["check"] == check && finding["cause"] == cause => finding,
        _ => panic!("{:#}", outcome.result),
    }
}
