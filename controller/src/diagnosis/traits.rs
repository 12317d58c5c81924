//! The properties of a node by which affected and unaffected nodes are compared.

use std::collections::BTreeSet;

use kube::ResourceExt;
use netdiag_crds::report::{Fact, fact};

use super::{factors::Trait, reporter::Reporter};

/// Labels that name the node itself, and those of the release before which repeat others.
const TELLING_NOTHING: [&str; 3] = [
    "kubernetes.io/hostname",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
];

/// The kinds of facts that name devices behind them: `driver eth0,eth1`. Which devices is no property, because a name
/// says little from node to node.
const OF_DEVICES: [&str; 4] = [fact::BOND_MODE, fact::DRIVER, fact::FIRMWARE, fact::MTU];

/// The known properties of a node: its kernel, its system, its NICs, the switches that it hears and its labels.
pub fn of(reporter: &Reporter<'_>) -> BTreeSet<Trait> {
    let agent = reporter
        .report
        .status
        .as_ref()
        .and_then(|status| status.agent.as_ref());
    let info = reporter
        .node
        .status
        .as_ref()
        .and_then(|status| status.node_info.as_ref());
    let kernel = agent
        .map(|agent| agent.kernel.as_str())
        .or_else(|| info.map(|info| info.kernel_version.as_str()));
    let properties = [
        (fact::KERNEL, kernel),
        (fact::OS_IMAGE, info.map(|info| info.os_image.as_str())),
        ("architecture", info.map(|info| info.architecture.as_str())),
    ];
    let properties = properties
        .into_iter()
        .filter_map(|(factor, value)| Some((factor, value?)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(factor, value)| Trait {
            factor,
            value: value.to_owned(),
        });
    let labels = reporter
        .node
        .labels()
        .iter()
        .filter(|(key, _)| !TELLING_NOTHING.contains(&key.as_str()))
        .map(|(key, value)| Trait {
            factor: "node label",
            value: format!("{key}={value}"),
        });
    let neighbours = neighbours(reporter).map(|name| Trait {
        factor: NEIGHBOUR,
        value: name.to_owned(),
    });
    let facts = reporter.report.status.iter();
    let facts = facts.flat_map(|status| &status.facts);
    let facts = facts.filter_map(of_fact);
    let of_node = properties.chain(labels);
    of_node.chain(neighbours).chain(facts).collect()
}

/// The factor of a switch that the node hears.
const NEIGHBOUR: &str = "neighbour";

/// A fact as a property. The kernel is the agent's, the OS image the Node's, which every node has.
fn of_fact(fact: &Fact) -> Option<Trait> {
    let of_devices = |kind: &&&str| {
        let devices = fact.name.strip_prefix(**kind);
        devices.is_some_and(|devices| devices.starts_with(' '))
    };
    let factor = match fact.name.as_str() {
        fact::SWITCH => NEIGHBOUR,
        _ => OF_DEVICES.iter().find(of_devices)?,
    };
    (!fact.value.is_empty()).then(|| Trait {
        factor,
        value: fact.value.clone(),
    })
}

/// Names of the switches that announce themselves.
fn neighbours<'a>(reporter: &Reporter<'a>) -> impl Iterator<Item = &'a str> {
    let findings = reporter.result.findings.iter();
    let names = findings.flat_map(|finding| &finding.neighbours);
    names.map(String::as_str).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use netdiag_crds::severity::Severity;

    use super::*;
    use crate::testing::{self, ReportBuilder};

    #[test]
    fn switches_are_named_by_what_they_announce() {
        let mut lldp = testing::finding("UnhandledProtocol", "NoReceiver", "Info");
        lldp.subject.protocol = Some("LLDP".into());
        lldp.neighbours = vec!["leaf-3a".into()];
        let report = ReportBuilder::new("a")
            .assigned(0)
            .result("Finished")
            .finding(lldp)
            .build();
        let node = testing::node("a");
        let reporter = testing::reporter(&node, &report, Severity::Info);
        let texts: Vec<String> = of(&reporter).iter().map(Trait::to_string).collect();
        assert_eq!(texts, ["neighbour leaf-3a"]);
    }

    #[test]
    fn facts_are_properties_whatever_their_devices_are_called() {
        let facts = [
            ("kernel", "6.1.0"),
            ("driver eth0,eth1", "mlx5_core"),
            ("driver lan0", "mlx5_core"),
            ("firmware eth0", "mlx5_core 14.32.1010"),
            ("bond mode bond0", "802.3ad"),
            ("MTU eth0", "9000"),
            ("switch", "leaf-3a"),
            ("drivers", "of a newer agent"),
            ("MTU eth1", ""),
        ];
        let mut report = ReportBuilder::new("a")
            .assigned(0)
            .result("Finished")
            .build();
        let status = report.status.get_or_insert_default();
        status.facts = facts
            .map(|(name, value)| Fact {
                name: name.to_owned(),
                value: value.to_owned(),
            })
            .to_vec();
        let node = testing::node("a");
        let reporter = testing::reporter(&node, &report, Severity::Info);
        let texts: Vec<String> = of(&reporter).iter().map(Trait::to_string).collect();
        assert_eq!(
            texts,
            [
                "MTU 9000",
                "bond mode 802.3ad",
                "driver mlx5_core",
                "firmware mlx5_core 14.32.1010",
                "neighbour leaf-3a",
            ]
        );
    }

    #[test]
    fn kernel_and_labels_are_properties_but_the_hostname_is_not() {
        let mut node = testing::node("a");
        for (key, value) in [("pool", "small"), ("kubernetes.io/hostname", "a")] {
            node.labels_mut().insert(key.to_owned(), value.to_owned());
        }
        let report = ReportBuilder::new("a")
            .assigned(0)
            .kernel("6.1.0")
            .result("Finished")
            .build();
        let reporter = testing::reporter(&node, &report, Severity::Info);
        let texts: Vec<String> = of(&reporter).iter().map(Trait::to_string).collect();
        assert_eq!(texts, ["kernel 6.1.0", "node label pool=small"]);
    }
}
