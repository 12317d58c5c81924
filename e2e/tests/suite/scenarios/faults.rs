//! The first faults: LLDP on bridged NICs, and a veth with unequal ends.

use anyhow::Result;
use netdiag_e2e::{
    lab::Node,
    scenarios::{BridgedNics, FloodOfKeys, UnequalMtu},
};
use serde_json::Value;

use super::control_frames::{assert_bridge_is_the_cause, assert_no_cause, lldp_on};
use super::{Harness, assert_harmless};

/// LLDP on three devices, two of which see it only as ports of `br0`.
pub fn lldp_on_macvlan_nics_under_a_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("bridged-nics")?;
    let nics = BridgedNics::new(stage.node())?;
    nics.build_bridge()?;
    let (made, outcome) = stage.watch(6, |_| nics.announce(20))?;
    assert_eq!(made.dropped, [("eth0", 20), ("eth1", 20), ("eth2", 20)]);
    for (number, device) in ["eth0", "eth1", "eth2"].into_iter().enumerate() {
        let finding = lldp_on(device, &format!("leaf-{number}"), 20, &outcome);
        outcome.assert_explained("", device, "rx_dropped", 20);
        if device == "eth2" {
            assert_no_cause(finding);
        } else {
            assert_bridge_is_the_cause(finding, &outcome);
        }
    }
    assert_harmless(&outcome);
    outcome.assert_rolled_up("Info");
    Ok(())
}

/// A veth whose end on the node is smaller.
pub fn veth_with_a_smaller_end(harness: &Harness) -> Result<()> {
    let stage = harness.node("unequal-mtu")?;
    let veth = UnequalMtu::new(stage.node())?;
    let (counted, outcome) = stage.watch(6, |_| veth.send_large(50))?;
    assert_eq!(counted, (50, 50), "at the sender and at the receiver");
    let found: Vec<_> = outcome
        .all()
        .iter()
        .filter(|finding| finding["check"] == "LinkMtu")
        .collect();
    let [finding] = found[..] else {
        panic!("{:#}", outcome.result)
    };
    assert_eq!(finding["cause"], "PeerMtuSmaller");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["count"], 50, "{finding:#}");
    let text = finding.to_string();
    for named in ["9000", "1500", "veth-jumbo", "jumbo"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    outcome.assert_explained("shop/jumbo", "eth0", "tx_dropped", 50);
    outcome.assert_explained("", "veth-jumbo", "rx_dropped", 50);
    outcome.assert_balanced();
    assert_commands_act_in_their_pod_only(finding, stage.node(), veth)
}

/// The printed commands end the loss and bring it back, and refuse once the pod's process is gone.
fn assert_commands_act_in_their_pod_only(
    finding: &Value,
    node: &Node,
    veth: UnequalMtu<'_>,
) -> Result<()> {
    let change = &finding["remedies"][0];
    let typed = |key: &str| {
        let command = change[key].as_str();
        let command = command.unwrap_or_else(|| panic!("no {key} in {finding:#}"));
        node.namespace().run("sh", &["-c", command])
    };
    typed("command")?;
    assert_eq!(veth.send_large(5)?, (0, 0), "{change:#}");
    typed("undo")?;
    assert_eq!(veth.send_large(5)?, (5, 5), "{change:#}");
    drop(veth);
    for key in ["command", "undo"] {
        typed(key).expect_err("the pod is gone");
    }
    Ok(())
}

/// A pod with NET_RAW fills the drop probe with 4,095 EtherTypes and with one loud kind, before and after another pod's
/// fault: that one is found by its samples all the same, and each frame of the flood is counted.
pub fn fault_beside_a_flood_of_keys(harness: &Harness) -> Result<()> {
    let stage = harness.node("flooded")?;
    let flood = FloodOfKeys::new(stage.node(), 50_000)?;
    let (made, outcome) = stage.watch(6, |_| flood.attack())?;
    assert_eq!(made.refused, (50, 50), "{made:?}");
    assert!(made.dropped >= made.sent, "{made:?}");
    let finding = outcome.finding_in("jumbo", "LinkMtu", "PeerMtuSmaller", "eth0");
    assert_eq!(finding["count"], 50, "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    // Without its samples it would be Likely.
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    let alarming = outcome.alarming();
    assert_eq!(alarming, [finding], "{alarming:#?}");
    outcome.assert_explained("shop/jumbo", "eth0", "tx_dropped", 50);
    outcome.assert_explained("", "veth-jumbo", "rx_dropped", 50);
    outcome.assert_nearly_explained("veth-noisy", "rx_dropped", made.dropped);
    let lost = &outcome.result["lost"];
    assert_eq!(lost["mapEntries"].as_u64().unwrap_or(0), 0, "{lost:#}");
    Ok(())
}
