//! The privileges that a node's settings take from the agent, though it has all of its capabilities.

use netdiag_e2e::lab::{KernelSetting, Node};
use netdiag_e2e::scenarios::BridgedNics;
use serde_json::Value;

use crate::outcome::Outcome;

/// No function has a name then: what the kernel gives a reason for is found all the same.
#[test]
#[ignore = "needs a guest"]
fn hidden_addresses() {
    let _hidden = KernelSetting::set("kernel.kptr_restrict", "2").unwrap();
    let node = Node::new("hidden").unwrap();
    let nics = BridgedNics::new(&node).unwrap();
    nics.build_bridge().unwrap();
    let watch = node.watch(1).unwrap();
    let made = nics.announce(20).unwrap();
    assert_eq!(made.dropped[0], ("eth0", 20));
    let watched = watch.report().unwrap();

    let why = "addresses in /proc/kallsyms are hidden: kernel.kptr_restrict is 2 (1 shows them to the agent)";
    let drop = &watched.report["status"]["probes"][0];
    assert_eq!(
        (&drop["name"], &drop["state"]),
        (&"drop".into(), &"Degraded".into())
    );
    assert!(drop["reason"].to_string().contains(why), "{drop:#}");
    let outcome = Outcome::of_watched(&watched).unwrap();
    let text = outcome.result["unchecked"].to_string();
    assert!(text.contains(why) && !text.contains("CAP_"), "{text}");
    outcome.finding("Promiscuity", "BridgePort", "eth0");
    if outcome.has_no_reasons() {
        // Neither reason nor function tells what the kernel dropped.
        let unchecked = outcome.result["unchecked"].as_array().unwrap();
        let is_whole =
            |entry: &Value| entry["check"] == "UnhandledProtocol" && entry["partly"] != true;
        assert!(unchecked.iter().any(is_whole), "{unchecked:#?}");
    } else {
        let lldp = outcome.finding("UnhandledProtocol", "NoReceiver", "eth0");
        assert_eq!(lldp["count"], 20, "{lldp:#}");
    }
}
