//! Packets that IP passes on nowhere: forwarding is off, or the reverse path filter refuses them.

use anyhow::Result;
use netdiag_e2e::netns::Namespace;
use netdiag_e2e::scenarios::{
    Filter, GoneAddresses, GroupOnTwoNics, MissingForwarding, MissingRoutes, ReversePaths,
    RouteCircle,
};
use serde_json::Value;

use super::control_frames::{follow_remedy, last_change, undo_remedy};
use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

/// Forwarding is off on a node with pods, for both IP versions.
pub fn node_that_forwards_nothing(harness: &Harness) -> Result<()> {
    let stage = harness.node("forwards-nothing")?;
    let missing = MissingForwarding::of_node(stage.node())?;
    let (made, outcome) = stage.watch(3, |_| missing.ask())?;
    assert_eq!(made.answered, 0, "{made:?}");
    let findings = ["", "IPv6"].map(|protocol| {
        let finding = forwarding_off(&outcome, "veth-client", protocol);
        assert_eq!(finding["confidence"], "Certain", "{finding:#}");
        finding
    });
    assert!(
        made.refused4 >= made.asked && made.refused6 >= made.asked,
        "{made:?}"
    );
    assert_eq!(findings[0]["count"], made.refused4, "{made:?}");
    assert_eq!(findings[1]["count"], made.refused6, "{made:?}");
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    outcome.assert_balanced();
    let answered = Settings::are_restored(stage.node().namespace(), || {
        for finding in findings {
            follow_remedy(finding, stage.node());
        }
        missing.wait_for_answers()?;
        for finding in findings {
            undo_remedy(finding, stage.node());
        }
        missing.answered()
    })?;
    assert_eq!(answered, 0);
    Ok(())
}

/// Forwarding is off in a pod through which others go, for both IP versions.
pub fn pod_that_forwards_nothing(harness: &Harness) -> Result<()> {
    let stage = harness.node("pod-forwards-nothing")?;
    let missing = MissingForwarding::of_pod(stage.node())?;
    let (made, outcome) = stage.watch(3, |_| missing.ask())?;
    assert_eq!(made.answered, 0, "{made:?}");
    let ipv4 = forwarding_off(&outcome, "eth0", "");
    assert_eq!(ipv4["count"], made.refused4, "{made:?} {ipv4:#}");
    assert_eq!(ipv4["subject"]["pod"]["name"], "gateway", "{ipv4:#}");
    // What all devices of a pod share was not read: only a look is honest.
    let finding = forwarding_off(&outcome, "eth0", "IPv6");
    assert_eq!(finding["confidence"], "Likely", "{finding:#}");
    assert_eq!(finding["remedies"][0]["undo"], Value::Null, "{finding:#}");
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    outcome.assert_balanced();
    let versions = Settings::are_restored(missing.place(), || {
        follow_remedy(ipv4, stage.node());
        let answered = missing.answered()?;
        undo_remedy(ipv4, stage.node());
        Ok([answered, missing.answered()?])
    })?;
    assert_eq!(versions, [1, 0]);
    Ok(())
}

/// A node and a pod that are no routers get what is not for them, and need not pass it on.
pub fn plain_hosts_that_forward_nothing(harness: &Harness) -> Result<()> {
    let stage = harness.node("plain-hosts")?;
    let missing = MissingForwarding::of_plain_hosts(stage.node())?;
    let ([by_node, by_pod], outcome) = stage.watch(3, |_| missing.send_to_nowhere())?;
    assert!(by_node >= 60 && by_pod >= 60, "{by_node} {by_pod}");
    assert_quiet(&outcome);
    assert_no_cause(&outcome, "ForwardingOff");
    Ok(())
}

/// The strict filter of a pod's device without an address, where loose mode would refuse too.
pub fn strict_filter_of_a_pods_device(harness: &Harness) -> Result<()> {
    let change = refused(harness, "strict-filter", 0, 1)?;
    assert_eq!(change, "sysctl -w net.ipv4.conf.veth-client.rp_filter=0");
    Ok(())
}

/// The filter of the same device is loose already.
pub fn filter_in_loose_mode(harness: &Harness) -> Result<()> {
    let change = refused(harness, "loose-filter", 0, 2)?;
    assert_eq!(change, "sysctl -w net.ipv4.conf.veth-client.rp_filter=0");
    Ok(())
}

/// The value that all devices share is strict, so that none of the device helps.
pub fn filter_of_all_devices(harness: &Harness) -> Result<()> {
    let change = refused(harness, "shared-filter", 1, 0)?;
    assert_eq!(change, "sysctl -w net.ipv4.conf.all.rp_filter=0");
    Ok(())
}

/// A device without an address refuses connections; returns the change that ended it.
fn refused(harness: &Harness, node: &str, all: u8, own: u8) -> Result<String> {
    let stage = harness.node(node)?;
    let filter = Filter {
        all,
        own,
        has_address: false,
    };
    let paths = ReversePaths::new(stage.node(), filter)?;
    let ((connected, refused), outcome) = stage.watch(5, |_| paths.connect())?;
    assert_eq!(connected, 0);
    assert!(refused >= 9, "{refused}");
    let finding = only(&outcome, "ReversePathFilter");
    assert_eq!(finding["subject"]["interface"], "veth-client");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    // Clients send again after the scenario's last look.
    let count = finding["count"].as_u64().unwrap();
    assert!(count >= refused, "{refused} {finding:#}");
    let change = last_change(finding, "command");
    Settings::are_restored(stage.node().namespace(), || {
        follow_remedy(finding, stage.node());
        assert_eq!(paths.connect()?, (3, 0), "{change}");
        undo_remedy(finding, stage.node());
        Ok(())
    })?;
    assert!(paths.is_refused()?, "{finding:#}");
    Ok(change.to_owned())
}

/// Loose mode on a device with an address accepts a source to which another device leads.
pub fn filter_that_accepts_another_way_back(harness: &Harness) -> Result<()> {
    let stage = harness.node("another-way-back")?;
    let filter = Filter {
        all: 0,
        own: 2,
        has_address: true,
    };
    let paths = ReversePaths::new(stage.node(), filter)?;
    let (made, outcome) = stage.watch(3, |_| paths.connect())?;
    assert_eq!(made, (3, 0));
    assert_quiet(&outcome);
    assert_no_cause(&outcome, "ReversePathFilter");
    Ok(())
}

/// Two NICs of one network receive a group: the filter refuses one NIC's copies, and the program has all datagrams.
pub fn copies_for_a_group_on_two_nics(harness: &Harness) -> Result<()> {
    let stage = harness.node("two-nics")?;
    let group = GroupOnTwoNics::new(stage.node())?;
    let ([sent, delivered, refused], outcome) = stage.watch(3, |_| group.send())?;
    assert_eq!((sent, delivered, refused), (80, 80, 80));
    assert_quiet(&outcome);
    let finding = outcome.finding("Routing", "ReversePathFilter", "lan1");
    assert_eq!(finding["count"], refused, "{finding:#}");
    assert_eq!(finding["harm"], "None", "{finding:#}");
    Ok(())
}

/// The routes to a network behind a pod are deleted while another pod asks there, over both IP versions.
pub fn node_whose_routes_are_deleted(harness: &Harness) -> Result<()> {
    let stage = harness.node("deleted-routes")?;
    let missing = MissingRoutes::new(stage.node())?;
    let (refused, outcome) = stage.watch(3, |_| {
        missing.delete()?;
        missing.ask()
    })?;
    assert_no_way(&missing, &outcome, "NoRoute", refused)
}

/// Routes of types that refuse hide the routes to that network, over both IP versions.
pub fn node_whose_routes_refuse(harness: &Harness) -> Result<()> {
    let stage = harness.node("refusing-routes")?;
    let missing = MissingRoutes::new(stage.node())?;
    missing.refuse()?;
    let (refused, outcome) = stage.watch(3, |_| missing.ask())?;
    for (version, prefix) in MissingRoutes::REFUSED.iter().enumerate() {
        let protocol = ["", "IPv6"][version];
        let finding = dead_end(&outcome, "BlackholeRoute", protocol);
        assert!(finding.to_string().contains(prefix), "{finding:#}");
        let look = finding["remedies"][1]["command"].as_str().unwrap();
        let shown = stage.node().namespace().run("sh", &["-c", look])?;
        assert!(shown.contains(prefix), "{look}: {shown}");
    }
    assert_no_way(&missing, &outcome, "BlackholeRoute", refused)
}

/// A host beyond a NIC asks where no route leads, and a pod asks for an address of a network plugin's own prefix that no
/// pod has.
pub fn pollers_of_addresses_that_are_gone(harness: &Harness) -> Result<()> {
    let stage = harness.node("gone-addresses")?;
    let gone = GoneAddresses::new(stage.node())?;
    let (sent, outcome) = stage.watch(3, |_| gone.ask())?;
    assert_quiet(&outcome);
    outcome.assert_balanced();
    for (cause, interface) in [("NoRoute", "eth0"), ("BlackholeRoute", "veth-client")] {
        let finding = outcome.finding("Routing", cause, interface);
        assert_eq!(finding["count"], sent, "{finding:#}");
        assert_eq!(finding["severity"], "Info", "{finding:#}");
        assert_eq!(finding["harm"], "Unknown", "{finding:#}");
        assert_eq!(finding["remedies"][0]["undo"], Value::Null, "{finding:#}");
    }
    Ok(())
}

/// The node routes a network to a pod that sends all of it back: packets die in the pod and in the node, by the number of
/// their hops.
pub fn routes_in_a_circle(harness: &Harness) -> Result<()> {
    let stage = harness.node("route-circle")?;
    let circle = RouteCircle::new(stage.node())?;
    let (made, outcome) = stage.watch(3, |_| circle.ask())?;
    assert_eq!(made.died_in_gateway, made.asked, "{made:?}");
    assert_eq!(made.died_in_node, made.asked, "{made:?}");
    outcome.assert_balanced();
    for (interface, protocol) in [("eth0", ""), ("veth-gateway", "IPv6")] {
        let finding = one_finding(&outcome, "TtlExceeded", interface, protocol);
        assert_eq!(finding["count"], made.asked, "{finding:#}");
        assert_eq!(finding["harm"], "Outage", "{finding:#}");
        assert_eq!(finding["severity"], "Warning", "{finding:#}");
        assert_eq!(finding["confidence"], "Certain", "{finding:#}");
        // No change is honest; each look shows one of the two hops.
        let hops = [("veth-gateway", 0), ("eth0", 1)];
        for (device, remedy) in hops {
            let remedy = &finding["remedies"][remedy];
            assert_eq!(remedy["undo"], Value::Null, "{finding:#}");
            let look = remedy["command"].as_str().unwrap();
            let shown = stage.node().namespace().run("sh", &["-c", look])?;
            assert!(shown.contains(&format!("dev {device}")), "{look}: {shown}");
        }
    }
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    Ok(())
}

/// Asserts a finding of this cause over each IP version with these packets, whose change lets the pod through and whose
/// undo refuses it again.
#[track_caller]
fn assert_no_way(
    missing: &MissingRoutes<'_>,
    outcome: &Outcome,
    cause: &str,
    refused: u64,
) -> Result<()> {
    outcome.assert_balanced();
    assert_eq!(outcome.alarming().len(), 2, "{:#}", outcome.result);
    let findings = ["", "IPv6"].map(|protocol| dead_end(outcome, cause, protocol));
    for finding in findings {
        assert_eq!(finding["count"], refused, "{finding:#}");
    }
    let before = missing.routes()?;
    for finding in findings {
        follow_remedy(finding, missing.node());
    }
    assert_eq!(missing.answered()?, 2);
    for finding in findings {
        undo_remedy(finding, missing.node());
    }
    assert_eq!(missing.routes()?, before);
    assert_eq!(missing.answered()?, 0);
    Ok(())
}

/// The finding that nothing from the client reaches its destination.
#[track_caller]
fn dead_end<'a>(outcome: &'a Outcome, cause: &str, protocol: &str) -> &'a Value {
    let finding = outage_here(outcome, cause, "veth-client", protocol);
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    finding
}

/// The finding that forwarding is off, over IPv6 where that is its protocol.
#[track_caller]
fn forwarding_off<'a>(outcome: &'a Outcome, interface: &str, protocol: &str) -> &'a Value {
    outage_here(outcome, "ForwardingOff", interface, protocol)
}

/// The finding of an outage by this cause, over IPv6 where that is its protocol.
#[track_caller]
fn outage_here<'a>(
    outcome: &'a Outcome,
    cause: &str,
    interface: &str,
    protocol: &str,
) -> &'a Value {
    let finding = one_finding(outcome, cause, interface, protocol);
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["culprit"], "Here", "{finding:#}");
    finding
}

/// The finding of this cause, over IPv6 where that is its protocol.
#[track_caller]
fn one_finding<'a>(
    outcome: &'a Outcome,
    cause: &str,
    interface: &str,
    protocol: &str,
) -> &'a Value {
    let is_it = |finding: &&Value| {
        finding["cause"] == cause
            && finding["subject"]["interface"] == interface
            && finding["subject"]["protocol"].as_str().unwrap_or("") == protocol
    };
    let found: Vec<&Value> = outcome.all().iter().filter(is_it).collect();
    let [finding] = found[..] else {
        panic!("{} findings in {:#}", found.len(), outcome.result);
    };
    finding
}

/// The only finding of Warning or worse.
#[track_caller]
fn only<'a>(outcome: &'a Outcome, cause: &str) -> &'a Value {
    outcome.assert_balanced();
    match outcome.alarming()[..] {
        [finding] if finding["cause"] == cause => finding,
        _ => panic!("{:#}", outcome.result),
    }
}

#[track_caller]
fn assert_no_cause(outcome: &Outcome, cause: &str) {
    let found = outcome.all().iter().any(|one| one["cause"] == cause);
    assert!(!found, "{:#}", outcome.result);
}

/// The settings of all devices of a namespace, by name.
#[derive(Debug, PartialEq)]
struct Settings(Vec<String>);

impl Settings {
    fn of(place: &Namespace) -> Result<Self> {
        let list = "cd /proc/sys/net && grep -rs . ipv4/conf ipv6/conf ipv4/ip_forward; true";
        let text = place.run("sh", &["-c", list])?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(lines.len() > 100, "{text}");
        lines.sort_unstable();
        Ok(Self(lines))
    }

    /// Asserts that every setting is after an act as it was before it.
    fn are_restored<T>(place: &Namespace, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = Self::of(place)?;
        let done = act()?;
        let after = Self::of(place)?;
        let differ: Vec<_> = before
            .0
            .iter()
            .filter(|line| !after.0.contains(line))
            .collect();
        assert!(
            differ.is_empty() && before.0.len() == after.0.len(),
            "{differ:#?}"
        );
        Ok(done)
    }
}
