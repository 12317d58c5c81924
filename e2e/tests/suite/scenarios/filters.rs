//! Packets that rules refuse, and services without endpoints, which are no decision of a rule's writer.

use std::process::Command;

use anyhow::Result;
use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{FilterRules, OwnPackets};
use serde_json::Value;

use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

/// A legacy rule drops datagrams that a rule of nftables has accepted: the command shows the one that dropped.
pub fn rules_of_legacy_tables_beside_nftables(harness: &Harness) -> Result<()> {
    let stage = harness.node("legacy")?;
    let rules = FilterRules::legacy(stage.node())?;
    let (sent, outcome) = stage.watch(3, |_| rules.send_sevens())?;
    assert_eq!(rules.legacy_count()?, sent);
    assert_quiet(&outcome);
    let finding = cause(&outcome, "RuleDropped");
    assert_eq!(finding["count"], sent, "{finding:#}");
    assert_eq!(finding["decision"], true, "{finding:#}");
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    for look in looks(finding) {
        let shown = run(stage.node(), &look)?;
        assert!(shown.contains("no-sevens"), "{look}: {shown}");
        assert!(shown.contains("7777"), "{look}: {shown}");
    }
    assert_eq!(looks(finding).len(), 2, "{finding:#}");
    Ok(())
}

/// kube-proxy rejects connections to a service without endpoints by a rule of its iptables mode.
pub fn service_without_endpoints_in_iptables_mode(harness: &Harness) -> Result<()> {
    let stage = harness.node("cart")?;
    let rules = FilterRules::iptables_mode(stage.node())?;
    let ((connected, rule), outcome) = stage.watch(3, |_| rules.connect_to_cart())?;
    assert_eq!(connected, 0, "{rule:?}");
    assert!(rule.counted >= rule.sent, "{rule:?}");
    outcome.assert_balanced();
    let finding = only(&outcome, "ServiceWithoutEndpoints");
    assert_eq!(finding["count"], rule.counted, "{finding:#}");
    assert_service(finding, "cart");
    Ok(())
}

/// The same by a map of its nftables mode, beside a rule of somebody else that refuses packets of the same client.
pub fn service_without_endpoints_in_nftables_mode(harness: &Harness) -> Result<()> {
    let stage = harness.node("pay")?;
    let rules = FilterRules::nftables_mode(stage.node())?;
    let ((connected, sent), outcome) = stage.watch(3, |_| {
        let connected = rules.connect_to_pay()?;
        Ok((connected, rules.send_sevens()?))
    })?;
    assert_eq!(connected, 0);
    assert_eq!(rules.policy_count()?, sent);
    outcome.assert_balanced();
    let finding = only(&outcome, "ServiceWithoutEndpoints");
    assert!(finding["count"].as_u64().unwrap() >= 3, "{finding:#}");
    assert_service(finding, "pay");
    let finding = cause(&outcome, "RuleDropped");
    assert_eq!(finding["decision"], true, "{finding:#}");
    assert_eq!(finding["count"], sent, "{finding:#}");
    let look = &looks(finding)[0];
    let shown = run(stage.node(), look)?;
    assert!(shown.contains("no-sevens"), "{look}: {shown}");
    Ok(())
}

/// A service with an endpoint answers through the same chains, while a rule refuses what it is there for.
pub fn service_with_an_endpoint_beside_a_rule(harness: &Harness) -> Result<()> {
    let stage = harness.node("served")?;
    let rules = FilterRules::healthy_service(stage.node())?;
    let ((connected, sent), outcome) = stage.watch(3, |_| {
        let connected = rules.connect_to_pay()?;
        Ok((connected, rules.send_sevens()?))
    })?;
    assert_eq!(connected, 40);
    assert_eq!(rules.translated()?, 40);
    assert_eq!(rules.policy_count()?, sent);
    assert_quiet(&outcome);
    let finding = cause(&outcome, "RuleDropped");
    assert_eq!(finding["count"], sent, "{finding:#}");
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    Ok(())
}

/// Rules of the node and of a pod refuse what their own programs send: a decision, with the program.
pub fn rules_that_refuse_programs_own_packets(harness: &Harness) -> Result<()> {
    let stage = harness.node("own")?;
    let own = OwnPackets::new(stage.node())?;
    let (sending, outcome) = stage.watch(3, |_| own.send())?;
    assert_quiet(&outcome);
    for (pod, refused) in [Value::Null, Value::from("client")]
        .into_iter()
        .zip(sending.refused)
    {
        let is_it = |one: &&Value| {
            one["cause"] == "OutputRuleDropped" && one["subject"]["pod"]["name"] == pod
        };
        let finding = outcome.all().iter().find(is_it);
        let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
        assert_eq!(finding["decision"], true, "{finding:#}");
        let count = finding["count"].as_u64().unwrap();
        assert!(count >= refused, "{refused} {finding:#}");
        let text = finding.to_string();
        for named in ["netdiag-lab (pid", ":7780 UDP", ":7780 TCP"] {
            assert!(text.contains(named), "{named} is not in {finding:#}");
        }
    }
    let nowhere = outcome.all().iter().find(|one| one["cause"] == "NoDevice");
    assert!(nowhere.is_none(), "{:#}", outcome.result);
    Ok(())
}

#[track_caller]
fn assert_service(finding: &Value, name: &str) {
    assert_eq!(finding["severity"], "Warning", "{finding:#}");
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["culprit"], "Elsewhere", "{finding:#}");
    assert_eq!(finding["decision"], Value::Null, "{finding:#}");
    let command =
        format!("kubectl -n shop get endpointslices -l kubernetes.io/service-name={name}");
    assert_eq!(finding["remedies"][0]["command"], command, "{finding:#}");
}

/// The commands of a finding.
fn looks(finding: &Value) -> Vec<String> {
    let remedies = finding["remedies"].as_array().into_iter().flatten();
    let commands = remedies.filter_map(|remedy| remedy["command"].as_str());
    commands.map(str::to_owned).collect()
}

/// Runs a command as root on the node does.
fn run(node: &Node, command: &str) -> Result<String> {
    let mut inside: Command = node.namespace().command("sh");
    let output = inside.args(["-c", command]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The only finding of Warning or worse.
#[track_caller]
fn only<'a>(outcome: &'a Outcome, cause: &str) -> &'a Value {
    match outcome.alarming()[..] {
        [finding] if finding["cause"] == cause => finding,
        _ => panic!("{:#}", outcome.result),
    }
}

/// The finding of the node itself with this cause.
#[track_caller]
fn cause<'a>(outcome: &'a Outcome, cause: &str) -> &'a Value {
    let mut of_cause = outcome
        .all()
        .iter()
        .filter(|finding| finding["cause"] == cause && finding["subject"]["netns"] == Value::Null);
    of_cause
        .next()
        .unwrap_or_else(|| panic!("{:#}", outcome.result))
}
