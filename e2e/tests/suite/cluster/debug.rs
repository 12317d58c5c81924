//! `kubectl debug`: one command diagnoses a node of a cluster that has nothing of netdiag.

use serde_json::{Value, json};

use super::faults::LostChecksum;
use super::installed::Nodes;

const INSTALL: &str = include_str!("../../../../docs/install.md");
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The label by which kubectl's documentation tells its pods.
const DEBUGGERS: [&str; 2] = ["-l", "app.kubernetes.io/managed-by=kubectl-debug"];
/// As long as the faulty connection attempts of one call, and some more.
const WINDOW: [&str; 2] = ["--duration", "15s"];

#[test]
#[ignore = "needs root and the programs of real nodes"]
fn one_command_finds_a_fault_where_nothing_is_installed() {
    let nodes = Nodes::start(1);
    let fault = LostChecksum::new(&nodes);
    let [privileged, capabilities] = commands().try_into().unwrap();

    let said = answer(&nodes, &fault, &privileged);
    finds_the_fault(&said);
    let context = context_of_the_only_debugger(&nodes);
    assert_eq!(context["privileged"], true, "as documented");
    delete_debuggers(&nodes);

    let said = answer(&nodes, &fault, &capabilities);
    finds_the_fault(&said);
    let context = context_of_the_only_debugger(&nodes);
    assert_ne!(context["privileged"], true, "{context:#}");
    let five = json!(["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "SYSLOG"]);
    let only_five = json!({ "add": five, "drop": ["ALL"] });
    assert_eq!(context["capabilities"], only_five);
    delete_debuggers(&nodes);

    let kinds = "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,serviceaccount,lease";
    let objects = nodes
        .kubectl
        .run(&["get", kinds, "-A", "-o", "name"])
        .unwrap();
    assert!(!objects.contains("netdiag"), "{objects}");
}

/// The documented commands, for this cluster.
fn commands() -> Vec<Vec<String>> {
    let text = INSTALL.replace("\\\n", " ");
    let commands = text
        .lines()
        .filter(|line| line.starts_with("kubectl debug "));
    let version = concat!(":", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&format!("netdiag-agent{version}")));
    commands
        .map(|command| {
            let here = command
                .replace("node-17", "node-1")
                .replace("registry.example.com/netdiag", "localhost")
                .replace("=docs/", &format!("={CHECKOUT}/docs/"));
            let words = here.split_whitespace().skip(1).map(str::to_owned);
            words.chain(WINDOW.map(str::to_owned)).collect()
        })
        .collect()
}

/// The answer of a command, while the fault goes on.
fn answer(nodes: &Nodes, fault: &LostChecksum<'_>, command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    fault.while_it_talks(|| nodes.kubectl.run(&words).unwrap())
}

fn finds_the_fault(said: &str) {
    for words in [
        "node-1: ",
        "ChecksumDrop/PartialChecksumLost  eth0  pod default/server",
        "default/client",
        "default/server",
        "default/mesh",
        "Checked: all ",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

fn context_of_the_only_debugger(nodes: &Nodes) -> Value {
    let pods = nodes
        .kubectl
        .get(&[&["pods"], &DEBUGGERS[..]].concat())
        .unwrap();
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 1, "{pods:#?}");
    let container = &pods[0]["spec"]["containers"][0];
    container["securityContext"].clone()
}

fn delete_debuggers(nodes: &Nodes) {
    let delete = [&["delete", "pod"], &DEBUGGERS[..]].concat();
    let documented = format!("kubectl {}", delete.join(" "));
    assert!(INSTALL.contains(&documented), "{documented}");
    nodes.kubectl.run(&delete).unwrap();
}
