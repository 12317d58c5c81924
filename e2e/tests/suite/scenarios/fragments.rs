//! Fragments that come in on two NICs of one segment, and what only looks like it.

use anyhow::Result;
use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{BadCable, Family, Received, SharedDomain, Trouble};
use serde_json::Value;

use super::control_frames::{causes, follow_remedy};
use super::{Harness, assert_harmless};
use crate::outcome::Outcome;

/// Datagrams of a scenario; they are sent within 1 s.
const SENT: u64 = 20;
/// Seconds of a window: 1 to send, 1 until the node gives up what is incomplete, the rest for a slow machine.
const WINDOW: u64 = 9;
const VETHS: [&str; 2] = ["lan0", "lan1"];
const NICS: [&str; 2] = ["eth1", "eth2"];
/// Programs of the probe that compares frames with their copies.
const PROBE: &str = "frame_copies";

/// Programs listen promiscuously on the NICs of a guest's segment, which hand over frames as they come: which copy
/// completes a datagram is chance. Where their driver leaves all headers outside the linear part (virtio on 5.10), the
/// domain shows by what is dropped on both, and is likely.
pub fn fragments_on_two_nics_of_a_segment_with_connection_tracking(
    harness: &Harness,
) -> Result<()> {
    const SENT: u64 = 60;
    let stage = harness.node("segment")?;
    let mut shared = SharedDomain::on_segment(stage.node(), Family::V4)?;
    shared.track_connections()?;
    for nic in NICS {
        shared.capture(nic)?;
    }
    shared.join(&["eth1"])?;
    let (made, outcome) = stage.watch(WINDOW, |agent| {
        agent.wait_for(PROBE)?;
        shared.send(SENT)
    })?;
    let lost = SENT - made.datagrams;
    assert!(made.failed > 0, "no copies met: {made:?}");
    let finding = &outcome.finding("FragmentReassembly", "SharedBroadcastDomain", NICS[0]);
    let severity = finding["severity"].as_str().unwrap();
    // The number is one of lost datagrams only where some were proved to be lost.
    let is_loss = severity != "Info";
    let said = finding["count"].as_u64().unwrap();
    assert!(
        !is_loss || said <= lost,
        "{said} said, {lost} lost: {finding:#}"
    );
    assert!(is_loss || lost <= SENT / 4, "{lost} lost: {finding:#}");
    shared_domain(NICS, severity, &outcome);
    opened_by("Promiscuity/PacketSocket", &outcome);
    Ok(())
}

/// The NICs of a guest's segment filter what nobody joined.
pub fn fragments_on_two_nics_of_a_segment_that_filter(harness: &Harness) -> Result<()> {
    let stage = harness.node("filtering-segment")?;
    let mut shared = SharedDomain::on_segment(stage.node(), Family::V4)?;
    shared.track_connections()?;
    shared.join(&["eth1"])?;
    let (made, outcome) = stage.watch(WINDOW, |_| shared.send(SENT))?;
    assert_eq!((made.datagrams, made.failed), (SENT, 0));
    nothing_about_fragments(&outcome);
    Ok(())
}

/// Sends to two promiscuous veths on one switch, which sends each frame to `lan1` first. The node receives the group
/// where it is `joined`; with `tracked` connections it puts datagrams together before it looks who wants them. What
/// came of it is judged while all that is there.
fn on_veths<T>(
    harness: &Harness,
    family: Family,
    tracked: bool,
    joined: &[&str],
    judge: impl FnOnce(&Node, &SharedDomain, Received, &Outcome) -> Result<T>,
) -> Result<T> {
    let stage = harness.node("veths")?;
    let mut shared = SharedDomain::on_veths(stage.node(), family)?;
    if tracked {
        shared.track_connections()?;
    }
    shared.make_promiscuous()?;
    shared.join(joined)?;
    let (made, outcome) = stage.watch(WINDOW, |agent| {
        agent.wait_for(PROBE)?;
        shared.send(SENT)
    })?;
    judge(stage.node(), &shared, made, &outcome)
}

/// Every datagram arrives whole on the NIC where nobody has joined the group.
pub fn fragments_that_come_first_where_nobody_joined(harness: &Harness) -> Result<()> {
    on_veths(
        harness,
        Family::V4,
        true,
        &["lan0"],
        |node, shared, made, outcome| {
            let counts = (made.datagrams, made.reassembled, made.failed);
            assert_eq!(counts, (0, SENT, SENT), "{made:?}");
            // All of them, and fewer than make a loss critical.
            let finding = shared_domain(VETHS, "Warning", outcome);
            assert_eq!(finding["confidence"], "Certain");
            assert_eq!(finding["count"], SENT, "{finding:#}");
            let summary = finding["summary"].as_str().unwrap();
            assert!(
                summary.contains(&format!("{SENT} datagrams lost")),
                "{summary}"
            );
            assert!(summary.contains("239.77.0.15"), "{summary}");
            outcome.assert_rolled_up("Warning");
            // Its remedy keeps the copies out.
            follow_remedy(finding, node);
            assert_eq!(shared.send(SENT)?.datagrams, SENT);
            Ok(())
        },
    )
}

/// Copies meet in reassembly; the program gets every datagram.
pub fn fragments_that_come_first_where_the_group_was_joined(harness: &Harness) -> Result<()> {
    on_veths(
        harness,
        Family::V4,
        true,
        &["lan1"],
        |_, _, made, outcome| {
            collisions_without_loss(SENT, made, outcome);
            Ok(())
        },
    )
}

/// The same without connection tracking.
pub fn fragments_of_a_group_that_was_joined_on_both_nics(harness: &Harness) -> Result<()> {
    on_veths(harness, Family::V4, false, &VETHS, |_, _, made, outcome| {
        collisions_without_loss(SENT, made, outcome);
        Ok(())
    })
}

/// Nothing is promiscuous; that a program receives a group raises the question.
pub fn copies_looked_for_where_a_group_is_received(harness: &Harness) -> Result<()> {
    const SENT: u64 = 200;
    let stage = harness.node("member-twice")?;
    let mut shared = SharedDomain::on_veths(stage.node(), Family::V4)?;
    shared.join(&VETHS)?;
    let (made, outcome) = stage.watch(14, |agent| {
        agent.wait_for(PROBE)?;
        shared.send(SENT)
    })?;
    collisions_without_loss(SENT, made, &outcome);
    Ok(())
}

/// Copies come in, and each dies by itself where nobody has joined the group.
pub fn fragments_on_two_nics_without_connection_tracking(harness: &Harness) -> Result<()> {
    on_veths(
        harness,
        Family::V4,
        false,
        &["lan0"],
        |_, _, made, outcome| {
            let counts = (made.datagrams, made.reassembled, made.failed);
            assert_eq!(counts, (SENT, SENT, 0), "{made:?}");
            shared_domain(VETHS, "Info", outcome);
            assert_harmless(outcome);
            Ok(())
        },
    )
}

/// The kernel keeps a queue for each interface that a group's IPv6 fragments come in on.
pub fn fragments_of_ipv6_on_two_nics(harness: &Harness) -> Result<()> {
    on_veths(
        harness,
        Family::V6,
        true,
        &["lan0"],
        |_, _, made, outcome| {
            assert_eq!((made.datagrams, made.failed), (SENT, 0));
            let finding = outcome.finding("FragmentReassembly", "SharedBroadcastDomain", "lan0");
            assert_eq!(finding["severity"], "Info", "{finding:#}");
            assert_harmless(outcome);
            Ok(())
        },
    )
}

/// One NIC takes nothing in.
pub fn fragments_while_one_of_two_nics_is_down(harness: &Harness) -> Result<()> {
    let stage = harness.node("one-down")?;
    let mut shared = SharedDomain::on_veths(stage.node(), Family::V4)?;
    shared.track_connections()?;
    shared.make_promiscuous()?;
    shared.join(&["lan0"])?;
    shared.switch_off("lan1")?;
    let (made, outcome) = stage.watch(WINDOW, |_| shared.send(SENT))?;
    assert_eq!((made.datagrams, made.failed), (SENT, 0));
    nothing_about_fragments(&outcome);
    Ok(())
}

/// One fragment of each incomplete datagram is lost on a cable.
pub fn fragments_lost_on_a_cable(harness: &Harness) -> Result<()> {
    for family in [Family::V4, Family::V6] {
        let stage = harness.node("lossy-cable")?;
        let cable = BadCable::new(stage.node(), family, Trouble::Loss)?;
        let (made, outcome) = stage.watch(WINDOW, |_| cable.send(SENT))?;
        lost_fragments(made, &outcome);
    }
    Ok(())
}

/// Fragments come twice on one cable: reassembly fails, and nothing is lost.
pub fn fragments_repeated_on_a_cable(harness: &Harness) -> Result<()> {
    let stage = harness.node("repeating-cable")?;
    let cable = BadCable::new(stage.node(), Family::V4, Trouble::Repetition)?;
    let (made, outcome) = stage.watch(WINDOW, |_| cable.send(SENT))?;
    assert_eq!(made.datagrams, SENT, "{made:?}");
    assert!(made.failed > 0, "{made:?}");
    nothing_about_fragments(&outcome);
    Ok(())
}

/// The finding that two NICs share a domain: both named, with sender and group; nothing else alarms, but who opened
/// them.
#[track_caller]
fn shared_domain<'a>(nics: [&str; 2], severity: &str, outcome: &'a Outcome) -> &'a Value {
    let finding = outcome.finding("FragmentReassembly", "SharedBroadcastDomain", nics[0]);
    assert_eq!(finding["severity"], severity, "{finding:#}");
    let text = finding.to_string();
    let family = Family::V4;
    for named in [nics[0], nics[1], &family.source().to_string()] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    // The promiscuity that let the copies in is a state, and alarms nobody.
    for alarm in outcome.alarming() {
        assert_eq!(alarm["id"], finding["id"], "{alarm:#}");
    }
    outcome.assert_balanced();
    finding
}

/// Copies met in reassembly on both veths; the program got every datagram.
#[track_caller]
fn collisions_without_loss(sent: u64, made: Received, outcome: &Outcome) {
    let counts = (made.datagrams, made.reassembled, made.failed);
    assert_eq!(counts, (sent, sent, sent), "{made:?}");
    let finding = shared_domain(VETHS, "Info", outcome);
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(
        finding["count"],
        sent * 5,
        "5 of 6 fragments find their copy: {finding:#}"
    );
}

/// Each datagram that was given up is told of.
#[track_caller]
fn lost_fragments(made: Received, outcome: &Outcome) {
    assert!(made.failed > SENT / 2, "{made:?}");
    assert_eq!(made.datagrams + made.failed, SENT, "{made:?}");
    let finding = outcome.finding("FragmentReassembly", "FragmentLoss", "lan0");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(finding["count"], made.failed, "{finding:#}");
    assert_eq!(outcome.alarming().len(), 1, "{:#?}", outcome.alarming());
    outcome.assert_balanced();
}

/// The NICs let the group in because somebody made them promiscuous.
#[track_caller]
fn opened_by(cause: &str, outcome: &Outcome) {
    let all = outcome.all().iter();
    let mut domains = all.filter(|finding| finding["cause"] == "SharedBroadcastDomain");
    let finding = domains.next().unwrap();
    let causes = causes(finding);
    assert!(
        !causes.is_empty() && causes.iter().all(|id| id.starts_with(cause)),
        "{causes:?}"
    );
}

/// No word of fragments, and nothing alarming.
#[track_caller]
pub(super) fn nothing_about_fragments(outcome: &Outcome) {
    let about = |finding: &&Value| finding["check"] == "FragmentReassembly";
    assert_eq!(outcome.all().iter().find(about), None);
    assert_harmless(outcome);
}
