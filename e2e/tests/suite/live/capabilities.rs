//! The agent without each of its capabilities: it goes on, says what it lacks and why, and finds what does not depend
//! on it. What is lost is what docs/security.md says.

use std::collections::BTreeSet;

use netdiag_e2e::lab::{CAPABILITIES, Node, Watch};
use netdiag_e2e::scenarios::{BridgedNics, HealthyPods, UnequalMtu};
use netdiag_e2e::wait;
use serde_json::{Value, json};

use crate::CONTROL_PLANE;
use crate::outcome::Outcome;

/// Has a row for each capability.
const DOCUMENT: &str = include_str!("../../../../docs/security.md");
/// Probes that every window asks; others are attached by a question.
const ASKED: [&str; 6] = [
    "drop",
    "links",
    "packet-sockets",
    "inet-sockets",
    "tun-holders",
    "kernel-log",
];

/// The parts that a report calls missing without a capability, and the findings that it has all the same.
#[derive(Debug, PartialEq)]
struct Told {
    probes: String,
    unchecked: String,
    partly: String,
    found: String,
}

#[test]
#[ignore = "needs root and eBPF"]
fn each_capability_costs_what_the_document_says() {
    let node = Node::new("capabilities").unwrap();
    let nics = BridgedNics::new(&node).unwrap();
    nics.build_bridge().unwrap();
    let unequal = UnequalMtu::new(&node).unwrap();
    let mut pods = HealthyPods::new(&node).unwrap();
    pods.start_capture().unwrap();
    // Only such a device makes the agent look for programs that hold one.
    let inside = node.namespace();
    inside.ip("tuntap add dev tap0 mode tap").unwrap();

    let whole = node.watch(1).unwrap();
    let lesser = tried().map(|one| (one, node.watch_without(one, 1).unwrap()));
    let lesser: Vec<_> = lesser.collect();
    let made = nics.announce(20).unwrap();
    assert_eq!(made.dropped[0], ("eth0", 20));
    assert_eq!(unequal.send_large(50).unwrap(), (50, 50));

    let (_, outcome) = report(whole);
    assert_eq!(found(&outcome), "ports, capture, LLDP, MTU, pod, ledger");
    let told = lesser.into_iter();
    let told: Vec<_> = told
        .map(|(one, watch)| (one, Told::of(&report(watch), one)))
        .collect();
    let documented = tried().map(|one| (one, Told::documented(one)));
    assert_eq!(told, documented.collect::<Vec<_>>());
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn an_agent_says_at_its_start_what_it_lacks_and_is_ready() {
    let kubectl = CONTROL_PLANE.kubectl();
    let node = Node::new("lesser").unwrap();
    let report = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetReport",
        "metadata": { "name": node.name() },
        "spec": { "assignments": [] },
    });
    kubectl.apply(&report.to_string()).unwrap();
    for capability in tried() {
        let agent = node
            .start_agent_without(capability, &CONTROL_PLANE)
            .unwrap();
        let sentence = format!("CAP_{capability} is missing, so ");
        // One that another agent left names another capability.
        let ready = wait::until("the agent's status", wait::LIMIT, || {
            agent.check_running()?;
            let report = kubectl.get(&["nnr", node.name()])?;
            let ready = &report["status"]["conditions"][0];
            let is_new = ready["message"].to_string().contains(&sentence);
            Ok(is_new.then(|| ready.clone()))
        })
        .unwrap();
        assert_eq!(ready["status"], "True");
        let said = [agent.log_tail(), ready["message"].to_string()];
        for text in said {
            assert!(text.contains(&sentence), "{text}");
            let others = CAPABILITIES.into_iter().filter(|one| *one != capability);
            for other in others {
                assert!(!text.contains(&format!("CAP_{other} ")), "{text}");
            }
        }
    }
    kubectl.run(&["delete", "nnr", node.name()]).unwrap();
}

/// Those whose loss shows on this machine.
fn tried() -> impl Iterator<Item = &'static str> {
    let open = is_open_to_all();
    if let Some(why) = open {
        println!("without SYSLOG nothing is lost on this machine, so that is not tried: {why}");
    }
    let is_tried = move |one: &&str| *one != "SYSLOG" || open.is_none();
    CAPABILITIES.into_iter().filter(is_tried)
}

/// Settings that let everybody see what takes SYSLOG elsewhere.
fn is_open_to_all() -> Option<&'static str> {
    let setting = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().parse::<i32>().unwrap_or_default()
    };
    // `kallsyms_show_value` (kernel/ksyms_common.c).
    if setting("kptr_restrict") == 0 && setting("perf_event_paranoid") <= 1 {
        return Some("addresses of the kernel are open to everybody here");
    }
    (setting("dmesg_restrict") == 0).then_some("the kernel's log is open to everybody here")
}

/// The states of the probes, and the result.
fn report(watch: Watch) -> (Value, Outcome) {
    let watched = watch.report().unwrap();
    let probes = watched.report["status"]["probes"].clone();
    (probes, Outcome::of_watched(&watched).unwrap())
}

impl Told {
    fn of((probes, outcome): &(Value, Outcome), capability: &str) -> Self {
        let missing = format!("CAP_{capability} is missing");
        let names_it = |entry: &&Value| entry["reason"].to_string().contains(&missing);
        let of = |list: &Value, field: &str, keep: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
            let entries = list.as_array().into_iter().flatten().filter(names_it);
            let names = entries
                .filter(|entry| keep(entry))
                .map(|entry| &entry[field]);
            names
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        let unchecked = &outcome.result["unchecked"];
        let is_part = |entry: &Value| entry["partly"] == true;
        let whole = of(unchecked, "check", &|entry| !is_part(entry));
        let part = of(unchecked, "check", &is_part);
        let is_asked = |probe: &Value| ASKED.iter().any(|name| probe["name"] == *name);
        let in_code = |name: String| format!("`{name}`");
        Self {
            probes: list(of(probes, "name", &is_asked).into_iter().map(in_code)),
            partly: list(part.difference(&whole).cloned()),
            unchecked: list(whole),
            found: found(outcome),
        }
    }

    fn documented(capability: &str) -> Self {
        let start = format!("| {capability} | `");
        let rows = DOCUMENT.lines().filter(|line| line.starts_with(&start));
        let [row] = rows.collect::<Vec<_>>()[..] else {
            panic!("not one row begins with {start}");
        };
        let cells = row.trim_matches('|').split('|').map(str::trim);
        let [_, probes, unchecked, partly, found] = cells.collect::<Vec<_>>()[..] else {
            panic!("{row} has not five cells");
        };
        Self {
            probes: probes.to_owned(),
            unchecked: unchecked.to_owned(),
            partly: partly.to_owned(),
            found: found.to_owned(),
        }
    }
}

/// As a cell of the document has it.
fn list(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

/// Which of the stimuli were found: the bridge's ports, the capture by its process, the frames that nobody receives,
/// the smaller end of a veth, whose pod's that is, and what raised the counter of those frames.
fn found(outcome: &Outcome) -> String {
    let has = |check: &str, cause: &str, text: &str| {
        outcome.all().iter().any(|finding| {
            let is_it = finding["check"] == check && finding["cause"] == cause;
            is_it && finding.to_string().contains(text)
        })
    };
    let all = [
        ("ports", has("Promiscuity", "BridgePort", "br0")),
        (
            "capture",
            has("Promiscuity", "PacketSocket", "netdiag-lab (pid"),
        ),
        ("LLDP", has("UnhandledProtocol", "NoReceiver", "\"eth0\"")),
        ("MTU", has("LinkMtu", "PeerMtuSmaller", "veth-jumbo")),
        ("pod", has("LinkMtu", "PeerMtuSmaller", "shop")),
    ];
    let entry = outcome.ledger("", "eth0", "rx_dropped");
    let is_booked = entry.is_some_and(|entry| entry["unexplained"] == 0);
    let found = all.into_iter().chain([("ledger", is_booked)]);
    let found = found.filter(|(_, is_found)| *is_found);
    list(found.map(|(name, _)| name.to_owned()))
}
