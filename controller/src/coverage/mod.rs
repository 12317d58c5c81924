//! The nodes where an agent can be, which is what `nodes.all` selects.

pub mod placement;
mod read;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use netdiag_crds::NodeNetReport;

use placement::{Fit, Placement};
pub use read::Agents;

/// Label with a node's operating system, by its kubelet.
const OS: &str = "kubernetes.io/os";

/// The nodes where an agent can be, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// The rules of the agents' DaemonSet; absent where it is not known, and then every Linux node counts.
    pub rules: Option<Placement>,
    /// The reason why the rules are not known, though a DaemonSet was named.
    pub unread: Option<String>,
}

impl Coverage {
    /// True where this node can have an agent. An agent that has written the node's report counts as there.
    pub fn has(&self, node: &Node, report: Option<&NodeNetReport>) -> bool {
        let fit = self.rules.as_ref().map(|rules| rules.fit(node));
        is_linux(node)
            && match fit {
                None | Some(Fit::Placed) => true,
                Some(Fit::Kept) => report.is_some_and(|report| report.status.is_some()),
                Some(Fit::Never) => false,
            }
    }
}

/// True unless the node says that it runs another system.
fn is_linux(node: &Node) -> bool {
    let label = node.labels().get(OS).map(String::as_str);
    let told = || {
        let info = node.status.as_ref()?.node_info.as_ref()?;
        Some(info.operating_system.as_str()).filter(|system| !system.is_empty())
    };
    label.or_else(told).is_none_or(|system| system == "linux")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ReportBuilder, node};

    fn rules(pod: &Value) -> Coverage {
        let daemon_set = json!({ "spec": { "selector": {}, "template": { "spec": pod } } });
        Coverage {
            rules: Some(Placement::of(&serde_json::from_value(daemon_set).unwrap())),
            unread: None,
        }
    }

    #[test]
    fn without_a_daemon_set_every_linux_node_counts() {
        let coverage = Coverage::default();
        let system = |label: Option<&str>, told: &str| {
            let mut node = node("a");
            node.status.get_or_insert_default().node_info =
                serde_json::from_value(json!({ "operatingSystem": told, "architecture": "",
                    "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "",
                    "osImage": "", "systemUUID": "" }))
                .unwrap();
            if let Some(label) = label {
                node.labels_mut().insert(OS.into(), label.into());
            }
            coverage.has(&node, None)
        };
        assert!(coverage.has(&node("a"), None), "nothing is known of it");
        assert!(system(Some("linux"), ""));
        assert!(system(None, "linux"));
        assert!(!system(Some("windows"), ""));
        assert!(!system(None, "windows"));
    }

    #[test]
    fn rules_are_for_linux_nodes_too() {
        let all = rules(&json!({ "containers": [], "tolerations": [{ "operator": "Exists" }] }));
        let mut windows = node("a");
        assert!(all.has(&windows, None));
        windows.labels_mut().insert(OS.into(), "windows".into());
        assert!(!all.has(&windows, None));
    }

    #[test]
    fn an_agent_that_wrote_before_stays_under_a_taint_that_only_keeps_new_ones_away() {
        let none = rules(&json!({ "containers": [] }));
        let mut tainted = node("a");
        let taints = json!({ "taints": [{ "key": "k", "effect": "NoSchedule" }] });
        tainted.spec = serde_json::from_value(taints).unwrap();
        let silent = ReportBuilder::new("a").assigned(0).build();
        let there = ReportBuilder::new("a").assigned(0).acknowledged().build();
        assert!(!none.has(&tainted, None));
        assert!(!none.has(&tainted, Some(&silent)));
        assert!(none.has(&tainted, Some(&there)));
    }
}
