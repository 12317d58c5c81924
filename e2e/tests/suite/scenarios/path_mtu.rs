//! Packets that are longer than the way onward takes: path MTU discovery works, or the answers to them die.

use anyhow::Result;
use netdiag_e2e::netns::Namespace;
use netdiag_e2e::scenarios::{SmallHop, SmallerPathMtu};
use serde_json::Value;

use super::control_frames::{changes, follow_each_remedy};
use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

/// A rule of the node drops its own ICMP errors, and connections of a pod hang, over both IP versions.
pub fn black_hole_behind_the_node(harness: &Harness) -> Result<()> {
    black_hole(harness, "node-black-hole", SmallHop::OfNode, "veth-gateway")
}

/// The same in a pod that forwards.
pub fn black_hole_behind_a_pod(harness: &Harness) -> Result<()> {
    black_hole(harness, "pod-black-hole", SmallHop::OfPod, "eth1")
}

fn black_hole(harness: &Harness, name: &str, hop: SmallHop, device: &str) -> Result<()> {
    let stage = harness.node(name)?;
    let way = SmallerPathMtu::new(stage.node(), hop)?;
    for is_ipv6 in [false, true] {
        assert!(way.arrives_in_short(is_ipv6)?, "the way is closed");
    }
    way.drop_answers()?;
    let (refused, outcome) = stage.watch(3, |_| {
        Ok([way.send_in_vain(false)?, way.send_in_vain(true)?])
    })?;
    outcome.assert_balanced();
    for (is_ipv6, refused) in [false, true].into_iter().zip(refused) {
        let finding = black_hole_on(&outcome, device, is_ipv6);
        assert_eq!(finding["harm"], "Outage", "{finding:#}");
        assert_eq!(finding["severity"], "Critical", "{finding:#}");
        assert_eq!(finding["culprit"], "Here", "{finding:#}");
        assert_eq!(finding["confidence"], "Certain", "{finding:#}");
        // The connection sends again after the scenario's last look.
        assert!(finding["count"].as_u64() >= Some(refused), "{finding:#}");
        assert_mtus(finding);
        assert_eq!(changes(finding).count(), 2, "{finding:#}");
        let places = [way.place(), way.client()];
        State::is_restored(&places, || {
            follow_each_remedy(finding, stage.node(), |change| {
                assert!(way.arrives(is_ipv6)?, "{change:#}");
                assert!(way.arrives_in_short(!is_ipv6)?, "{change:#}");
                Ok(())
            })
        })?;
    }
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    Ok(())
}

/// Datagrams that must not be cut are too long for the node's route, and a rule drops the errors about them.
pub fn black_hole_of_datagrams(harness: &Harness) -> Result<()> {
    let stage = harness.node("datagrams-too-long")?;
    let way = SmallerPathMtu::new(stage.node(), SmallHop::OfRoute)?;
    way.drop_answers()?;
    let (refused, outcome) = stage.watch(3, |_| way.send_datagrams(20))?;
    assert_eq!(refused, 20);
    outcome.assert_balanced();
    let finding = black_hole_on(&outcome, "veth-gateway", false);
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["count"], refused, "{finding:#}");
    assert_mtus(finding);
    let places = [way.place(), way.client()];
    State::is_restored(&places, || {
        follow_each_remedy(finding, stage.node(), |change| {
            assert_eq!(way.send_datagrams(20)?, 0, "{change:#}");
            Ok(())
        })
    })?;
    assert_eq!(way.send_datagrams(3)?, 3);
    assert_eq!(outcome.alarming().len(), 1, "{:#}", outcome.result);
    Ok(())
}

/// The node's errors reach the pod, whose connections go on with shorter segments.
pub fn path_mtu_discovery(harness: &Harness) -> Result<()> {
    let stage = harness.node("path-mtu-discovery")?;
    let way = SmallerPathMtu::new(stage.node(), SmallHop::OfNode)?;
    let (refused, outcome) = stage.watch(3, |_| {
        for is_ipv6 in [false, true] {
            assert!(way.arrives(is_ipv6)?);
        }
        way.refused()
    })?;
    assert!(refused.iter().all(|count| *count > 0), "{refused:?}");
    assert_quiet(&outcome);
    for (protocol, refused) in [None, Some("IPv6")].into_iter().zip(refused) {
        let finding = on(&outcome, "veth-gateway", "TooBig", protocol);
        assert_eq!(finding["count"], refused, "{finding:#}");
        assert_eq!(finding["harm"], "None", "{finding:#}");
    }
    Ok(())
}

#[track_caller]
fn black_hole_on<'a>(outcome: &'a Outcome, device: &str, is_ipv6: bool) -> &'a Value {
    on(outcome, device, "BlackHole", is_ipv6.then_some("IPv6"))
}

/// The only finding of this check on the device, by its cause and protocol.
#[track_caller]
fn on<'a>(outcome: &'a Outcome, device: &str, cause: &str, protocol: Option<&str>) -> &'a Value {
    let is_it = |finding: &&Value| {
        finding["check"] == "PathMtu"
            && finding["subject"]["interface"] == device
            && finding["subject"]["protocol"].as_str() == protocol
    };
    let found: Vec<&Value> = outcome.all().iter().filter(is_it).collect();
    match found[..] {
        [finding] if finding["cause"] == cause => finding,
        _ => panic!("{} findings in {:#}", found.len(), outcome.result),
    }
}

/// The headline names the MTU of the sender and that of the way.
#[track_caller]
fn assert_mtus(finding: &Value) {
    let summary = finding["summary"].as_str().unwrap_or_default();
    let small = format!("MTU {}", SmallerPathMtu::MTU);
    assert!(
        summary.contains(&small) && summary.contains("MTU 1500"),
        "{finding:#}"
    );
}

/// The MTUs and the rules of a namespace.
#[derive(Debug, PartialEq)]
struct State(String);

impl State {
    fn of(place: &Namespace) -> Result<Self> {
        let list = "for each in /sys/class/net/*/mtu; do echo $each $(cat $each); done; \
            nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//'";
        Ok(Self(place.run("sh", &["-c", list])?))
    }

    /// Asserts that everything is after an act as it was before it.
    fn is_restored(places: &[&Namespace], act: impl FnOnce() -> Result<()>) -> Result<()> {
        let read = || places.iter().map(|place| Self::of(place)).collect();
        let before: Result<Vec<Self>> = read();
        act()?;
        let after: Result<Vec<Self>> = read();
        assert_eq!(before?, after?);
        Ok(())
    }
}
