//! Expectations of frames of protocols that nobody receives, and of the promiscuity that lets them in.

use anyhow::Result;
use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::Increase;
use serde_json::Value;

use crate::outcome::Outcome;

/// The finding of LLDP that nobody receives on a device: harmless, counted, its sender read from the frame.
#[track_caller]
pub fn lldp_on<'a>(device: &str, switch: &str, frames: u64, outcome: &'a Outcome) -> &'a Value {
    let finding = unhandled("LLDP", device, frames, outcome);
    let text = finding.to_string();
    assert!(text.contains(switch), "the switch is named: {finding:#}");
    assert!(
        text.contains("Ethernet17"),
        "its port is named: {finding:#}"
    );
    finding
}

/// The finding of a protocol that nobody receives on a device: harmless, and counted.
#[track_caller]
pub fn unhandled<'a>(protocol: &str, device: &str, frames: u64, outcome: &'a Outcome) -> &'a Value {
    let matches = |finding: &&Value| {
        finding["check"] == "UnhandledProtocol"
            && finding["subject"]["interface"] == device
            && finding["subject"]["protocol"] == protocol
            && finding["subject"]["netns"].is_null()
    };
    let found: Vec<&Value> = outcome.all().iter().filter(matches).collect();
    let [finding] = found[..] else {
        panic!(
            "{} findings of {protocol} on {device}: {:#}",
            found.len(),
            outcome.result
        )
    };
    assert_eq!(finding["cause"], "NoReceiver");
    assert_eq!(finding["severity"], "Info", "{finding:#}");
    assert_eq!(finding["count"], frames, "{finding:#}");
    finding
}

/// Asserts that the ledger books a device's whole increase of rx_dropped to these protocols, with these counts.
#[track_caller]
pub fn assert_dropped(device: &str, protocols: &[(&str, u64)], outcome: &Outcome) {
    let total = protocols.iter().map(|(_, count)| count).sum();
    outcome.assert_explained("", device, "rx_dropped", total);
    let entry = outcome.ledger("", device, "rx_dropped").unwrap();
    let mut booked: Vec<(&str, u64)> = entry["explained"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            assert_eq!(row["verdict"], "Benign", "{entry:#}");
            let protocol = row["protocol"].as_str().unwrap_or_default();
            (protocol, row["count"].as_u64().unwrap_or_default())
        })
        .collect();
    booked.sort_unstable();
    let mut expected = protocols.to_vec();
    expected.sort_unstable();
    assert_eq!(booked, expected, "{entry:#}");
}

/// A finding's one cause is that `br0` made the device promiscuous; that finding.
#[track_caller]
pub fn assert_bridge_is_the_cause<'a>(finding: &Value, outcome: &'a Outcome) -> &'a Value {
    let promiscuity = the_cause(finding, outcome);
    assert_eq!(promiscuity["cause"], "BridgePort", "{promiscuity:#}");
    assert!(promiscuity.to_string().contains("br0"), "{promiscuity:#}");
    promiscuity
}

/// The one finding that another names as its cause: about promiscuity, and harmless.
#[track_caller]
pub fn the_cause<'a>(finding: &Value, outcome: &'a Outcome) -> &'a Value {
    let [cause] = causes(finding)[..] else {
        panic!("not one cause in {finding:#}")
    };
    let found = outcome.all().iter().find(|finding| finding["id"] == cause);
    let found = found.unwrap_or_else(|| panic!("no {cause} in {:#}", outcome.result));
    assert_eq!(found["check"], "Promiscuity", "{found:#}");
    assert_eq!(found["severity"], "Info", "{found:#}");
    found
}

/// Asserts that a finding names no cause: a veth takes every frame by itself, and broadcast passes every filter.
#[track_caller]
pub fn assert_no_cause(finding: &Value) {
    assert!(causes(finding).is_empty(), "{finding:#}");
}

/// Asserts that a finding's summary ends with this chain: `eth1 <- bond0 <- br0`.
#[track_caller]
pub fn assert_chain(finding: &Value, chain: &str) {
    let summary = finding["summary"].as_str().unwrap_or_default();
    assert!(summary.ends_with(&format!(": {chain}")), "{finding:#}");
}

/// Does what a finding's last change says.
#[track_caller]
pub fn follow_remedy(finding: &Value, node: &Node) {
    let command = last_change(finding, "command");
    node.namespace().run("sh", &["-c", command]).unwrap();
}

/// Undoes it again.
#[track_caller]
pub fn undo_remedy(finding: &Value, node: &Node) {
    let command = last_change(finding, "undo");
    node.namespace().run("sh", &["-c", command]).unwrap();
}

/// Does what each change of a finding says, one after the other, and undoes it behind `between`.
pub fn follow_each_remedy(
    finding: &Value,
    node: &Node,
    mut between: impl FnMut(&Value) -> Result<()>,
) -> Result<()> {
    for change in changes(finding) {
        let run = |field: &str| {
            let command = change[field].as_str().unwrap_or_default();
            node.namespace().run("sh", &["-c", command])
        };
        run("command")?;
        between(change)?;
        run("undo")?;
    }
    Ok(())
}

/// The command of a finding's last change, or what undoes it.
#[track_caller]
pub fn last_change<'a>(finding: &'a Value, field: &str) -> &'a str {
    let command = changes(finding)
        .last()
        .and_then(|last| last[field].as_str());
    command.unwrap_or_else(|| panic!("no change in {finding:#}"))
}

/// The changes among a finding's remedies.
pub fn changes(finding: &Value) -> impl Iterator<Item = &Value> {
    let remedies = finding["remedies"].as_array().into_iter().flatten();
    remedies.filter(|remedy| remedy["undo"].is_string())
}

/// A device whose counters rose by this.
pub fn rose(device: &'static str, dropped: u64, no_handler: u64) -> Increase {
    Increase {
        device,
        dropped,
        no_handler,
    }
}

/// Ids of the findings that make this one happen.
pub(super) fn causes(finding: &Value) -> Vec<&str> {
    let causes = finding["causedBy"].as_array().into_iter().flatten();
    causes.filter_map(Value::as_str).collect()
}

/// Cause, device and severity of each promiscuity finding about the node's own devices, sorted.
pub fn promiscuity(outcome: &Outcome) -> Vec<(&str, &str, &str)> {
    let ours = |finding: &&Value| {
        finding["check"] == "Promiscuity" && finding["subject"]["netns"].is_null()
    };
    let mut found: Vec<_> = outcome
        .all()
        .iter()
        .filter(ours)
        .map(|finding| {
            (
                finding["cause"].as_str().unwrap_or_default(),
                finding["subject"]["interface"].as_str().unwrap_or_default(),
                finding["severity"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    found.sort_unstable();
    found
}
