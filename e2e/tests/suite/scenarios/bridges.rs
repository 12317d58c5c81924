//! Bridge ports that do not let frames pass, beside healthy ones.

use anyhow::Result;
use netdiag_e2e::scenarios::BridgePorts;
use serde_json::Value;

use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

/// A port that still listens when the window ends.
pub fn port_that_does_not_forward(harness: &Harness) -> Result<()> {
    let stage = harness.node("stp")?;
    let ports = BridgePorts::new(stage.node(), "stp_state 1 forward_delay 3000")?;
    let ((sent, received), outcome) = stage.watch(6, |_| ports.send(200))?;
    assert_eq!((sent, received), (30, 0));
    let finding = only(&outcome, "Bridge", "PortNotForwarding");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["count"], sent, "{finding:#}");
    assert_eq!(finding["subject"]["interface"], "veth-client");
    let remedy = &finding["remedies"][0];
    let command = "ip link set dev br0 type bridge stp_state 0";
    assert_eq!(remedy["command"], command, "{finding:#}");
    Ok(())
}

/// Frames that are to go back to the port that they came by.
pub fn port_without_hairpin(harness: &Harness) -> Result<()> {
    let stage = harness.node("hairpin")?;
    let ports = BridgePorts::new(stage.node(), "")?;
    let (sent, outcome) = stage.watch(6, |_| ports.send_back())?;
    let finding = only(&outcome, "Bridge", "HairpinOff");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["count"], sent, "{finding:#}");
    let remedy = &finding["remedies"][0];
    let command = "bridge link set dev veth-client hairpin on";
    assert_eq!(remedy["command"], command, "{finding:#}");
    Ok(())
}

/// Two isolated ports: as it is meant to be.
pub fn isolated_ports(harness: &Harness) -> Result<()> {
    let stage = harness.node("isolated")?;
    let ports = BridgePorts::new(stage.node(), "")?;
    ports.set("isolated on")?;
    let ((sent, received), outcome) = stage.watch(6, |_| ports.send(200))?;
    assert_eq!((sent, received), (30, 0));
    let finding = outcome.finding("Bridge", "PortsIsolated", "veth-client");
    assert_eq!(finding["count"], sent, "{finding:#}");
    assert_eq!(finding["decision"], true, "{finding:#}");
    assert_quiet(&outcome);
    Ok(())
}

/// A locked port, behind which the bridge knows nobody: as it is meant to be.
pub fn locked_port(harness: &Harness) -> Result<()> {
    let stage = harness.node("locked")?;
    let ports = BridgePorts::new(stage.node(), "")?;
    ports.lock()?;
    let ((sent, received), outcome) = stage.watch(6, |_| ports.send(200))?;
    assert_eq!((sent, received), (30, 0));
    let finding = outcome.finding("Bridge", "PortLocked", "veth-client");
    assert_eq!(finding["count"], sent, "{finding:#}");
    assert_eq!(finding["decision"], true, "{finding:#}");
    assert_quiet(&outcome);
    Ok(())
}

/// UDP over a bridge between a port of 1500 bytes and one of 1400.
pub fn port_with_a_smaller_mtu(harness: &Harness) -> Result<()> {
    let stage = harness.node("port-mtu")?;
    let ports = BridgePorts::new(stage.node(), "")?;
    ports.shrink(1400)?;
    let ((sent, received), outcome) = stage.watch(6, |_| ports.send(1450))?;
    assert_eq!((sent, received), (30, 0));
    let finding = only(&outcome, "LinkMtu", "PortMtuSmaller");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["count"], sent, "{finding:#}");
    let text = finding.to_string();
    for named in ["veth-server", "1500", "1400", "mtu 1400"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    Ok(())
}

/// Datagrams that fit, between ports that forward.
pub fn healthy_ports(harness: &Harness) -> Result<()> {
    let stage = harness.node("ports")?;
    let ports = BridgePorts::new(stage.node(), "")?;
    ports.shrink(1400)?;
    ports.set_port("veth-client", "isolated on")?;
    let ((sent, received), outcome) = stage.watch(6, |_| ports.send(1300))?;
    assert!(sent == 30 && received >= 30, "{sent}, {received}");
    assert_quiet(&outcome);
    Ok(())
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
