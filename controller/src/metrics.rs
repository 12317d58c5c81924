//! Metrics of the controller. Every label comes from a closed set in the code: no names of objects, nodes or pods.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use netdiag_crds::{NodeNetReport, harm::Harm, report::Finding, severity::Severity};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use crate::{diagnosis::reporter::severity, stores::Stores};

/// Seconds that a pass may take, from one answered by the cache to one that waits for a loaded API server.
const PASS_SECONDS: [f64; 7] = [0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

/// Counts of the controller's own work. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    passes: Family<Pass, Counter>,
    pass_seconds: Family<Loop, Histogram>,
    leader: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Loop {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pass {
    controller: &'static str,
    result: &'static str,
}

impl Metrics {
    /// Metrics of these controllers, known to `registry`.
    pub fn new(registry: &mut Registry, controllers: [&'static str; 2]) -> Self {
        let metrics = Self {
            passes: Family::default(),
            pass_seconds: Family::new_with_constructor(|| Histogram::new(PASS_SECONDS)),
            leader: Gauge::default(),
        };
        for controller in controllers {
            // Shown from the start, or a rate over the first failure would miss it.
            for result in [DONE, FAILED] {
                drop(metrics.passes.get_or_create(&Pass { controller, result }));
            }
            drop(metrics.pass_seconds.get_or_create(&Loop { controller }));
        }
        registry.register(
            "reconcile",
            "Passes over an object, by controller and result",
            metrics.passes.clone(),
        );
        registry.register_with_unit(
            "reconcile_duration",
            "Time that a pass took",
            Unit::Seconds,
            metrics.pass_seconds.clone(),
        );
        registry.register(
            "leader",
            "1 while this process does the work, 0 while it waits for the lease",
            metrics.leader.clone(),
        );
        metrics
    }

    /// A pass of a controller ended.
    pub fn passed(&self, controller: &'static str, succeeded: bool, took: Duration) {
        let result = if succeeded { DONE } else { FAILED };
        self.passes
            .get_or_create(&Pass { controller, result })
            .inc();
        self.pass_seconds
            .get_or_create(&Loop { controller })
            .observe(took.as_secs_f64());
    }

    /// This process does the work from now on, or no longer.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }
}

const DONE: &str = "done";
const FAILED: &str = "failed";

/// Counts of what the diagnoses and reports say, made when somebody asks. A process that waits for the lease has no
/// caches, and so says nothing: only the leader's numbers are shown.
#[derive(Clone, Debug, Default)]
pub struct Fleet(Arc<OnceLock<Stores>>);

impl Fleet {
    /// Counts from these caches from now on.
    pub fn count_from(&self, stores: &Stores) {
        // The first caches stay; a process leads once.
        let _ = self.0.set(stores.clone());
    }
}

/// States of a diagnosis as its STATUS column has them; another release's are counted as `Other`.
const STATES: [&str; 6] = [
    "Pending",
    "Running",
    "Complete",
    "Degraded",
    "Suspended",
    "Other",
];
/// Worst severities of a node.
const SEVERITIES: [&str; 4] = ["None", "Info", "Warning", "Critical"];
/// Severities that make a node affected.
const URGENT: [Severity; 2] = [Severity::Warning, Severity::Critical];

impl Collector for Fleet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(stores) = self.0.get() else {
            return Ok(());
        };
        let diagnoses = stores.diagnoses.state();
        let states = diagnoses.iter().map(|diagnosis| {
            let summary = diagnosis
                .status
                .as_ref()
                .and_then(|status| status.summary.as_ref());
            summary.map_or("Pending", |summary| summary.state.as_str())
        });
        write(
            &mut encoder,
            "diagnoses",
            "Diagnoses, by state",
            "state",
            &tally(&STATES, states),
        )?;
        let reports = stores.reports.state();
        let worst = reports.iter().map(|report| {
            let severities = findings(report).map(severity);
            severities.max().map_or("None", Severity::as_str)
        });
        write(
            &mut encoder,
            "nodes",
            "Nodes with a report, by the worst severity in it; a decision counts as Info",
            "severity",
            &tally(&SEVERITIES, worst),
        )?;
        write_affected(&mut encoder, &affected(reports.iter().map(Arc::as_ref)))
    }
}

fn findings(report: &NodeNetReport) -> impl Iterator<Item = &Finding> {
    let results = report.status.iter().flat_map(|status| &status.results);
    results.flat_map(|result| &result.findings)
}

/// Nodes with a finding of Warning or worse, by what it does. A node with several harms counts for each, by the worst
/// severity that this harm has there.
fn affected<'a>(
    reports: impl Iterator<Item = &'a NodeNetReport>,
) -> BTreeMap<(Harm, Severity), i64> {
    let all = Harm::ALL.into_iter();
    let all = all.flat_map(|harm| URGENT.map(|severity| ((harm, severity), 0)));
    let mut counts: BTreeMap<_, _> = all.collect();
    for report in reports {
        let mut worst: BTreeMap<Harm, Severity> = BTreeMap::new();
        for finding in findings(report) {
            let of_harm = worst.entry(finding.harm()).or_default();
            *of_harm = severity(finding).max(*of_harm);
        }
        for urgent in worst {
            if let Some(count) = counts.get_mut(&urgent) {
                *count += 1;
            }
        }
    }
    counts
}

fn write_affected(
    encoder: &mut DescriptorEncoder<'_>,
    counts: &BTreeMap<(Harm, Severity), i64>,
) -> Result<(), std::fmt::Error> {
    let gauge = ConstGauge::new(0i64);
    let help = "Nodes with a finding of Warning or worse, by its harm and severity";
    let mut metric =
        encoder.encode_descriptor("affected_nodes", help, None, gauge.metric_type())?;
    for ((harm, severity), count) in counts {
        let labels = [("harm", harm.as_str()), ("severity", severity.as_str())];
        ConstGauge::new(*count).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The number of times that each of `names` comes; whatever else comes counts as the last.
fn tally<'a>(
    names: &[&'static str],
    seen: impl Iterator<Item = &'a str>,
) -> Vec<(&'static str, i64)> {
    let mut counts: Vec<_> = names.iter().map(|name| (*name, 0)).collect();
    for name in seen {
        let found = names.iter().position(|known| *known == name);
        if let Some((_, count)) = counts.get_mut(found.unwrap_or(names.len() - 1)) {
            *count += 1;
        }
    }
    counts
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    counts: &[(&'static str, i64)],
) -> Result<(), std::fmt::Error> {
    let gauge = ConstGauge::new(0i64);
    let mut metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    for (value, count) in counts {
        let labels = [(label, *value)];
        ConstGauge::new(*count).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn results_are_shown_before_the_first_pass() {
        let mut registry = Registry::with_prefix("netdiag_controller");
        let metrics = Metrics::new(&mut registry, ["diagnosis", "report"]);
        metrics.passed("report", true, Duration::from_millis(3));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"netdiag_controller_reconcile_total{controller="report",result="done"} 1"#,
            r#"netdiag_controller_reconcile_total{controller="report",result="failed"} 0"#,
            "netdiag_controller_leader 0",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn what_another_release_says_counts_as_other() {
        let counted = tally(&STATES, ["Running", "Running", "Thinking"].into_iter());
        assert!(
            counted.contains(&("Running", 2)) && counted.contains(&("Other", 1)),
            "{counted:?}"
        );
        assert!(
            counted.contains(&("Complete", 0)),
            "an empty state is shown too"
        );
    }

    #[test]
    fn an_affected_node_counts_once_for_each_harm_and_a_decision_for_none() {
        use crate::testing::{ReportBuilder, harmful};
        let report = |findings: &[(Harm, &str)]| {
            let report = ReportBuilder::new("a").assigned(0).result("Finished");
            let findings = findings.iter();
            let findings = findings.map(|(harm, severity)| harmful("LinkMtu", *harm, severity));
            findings.fold(report, ReportBuilder::finding)
        };
        let two = report(&[
            (Harm::Loss, "Warning"),
            (Harm::Loss, "Critical"),
            (Harm::Outage, "Warning"),
            (Harm::Delay, "Info"),
        ]);
        let mut rule = harmful("OtherDrop", Harm::Outage, "Critical");
        rule.decision = true;
        let refused = report(&[(Harm::None, "Info")]).finding(rule);
        let reports = [two.build(), refused.build()];
        let counts = affected(reports.iter());
        assert_eq!(
            counts.len(),
            Harm::ALL.len() * URGENT.len(),
            "zeros are shown"
        );
        let counted: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            counted,
            [
                ((Harm::Loss, Severity::Critical), 1),
                ((Harm::Outage, Severity::Warning), 1)
            ]
        );
    }
}
