//! The properties of a node by which affected and unaffected nodes are compared.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{factors::Trait, reporter::Reporter};

/// Labels that name the node itself, and those of the release before which repeat others.
const TELLING_NOTHING: [&str; 3] = [
    "kubernetes.io/hostname",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
];

/// The known properties of a node: its kernel, its system, the switches that it hears and its labels. Drivers and MTUs
/// would be telling too, but reports hold them for single findings only.
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
        ("kernel", kernel),
        ("OS image", info.map(|info| info.os_image.as_str())),
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
        factor: "neighbour",
        value: name.to_owned(),
    });
    properties.chain(labels).chain(neighbours).collect()
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
