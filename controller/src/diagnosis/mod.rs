//! NodeNetDiagnosis: follows each run from its start to its completion and rolls up what the nodes report.

pub mod asked;
pub mod columns;
pub mod decide;
pub mod degraded;
pub mod factors;
pub mod kept;
pub mod left_out;
pub mod loose;
pub mod members;
pub mod node_findings;
pub mod outcome;
pub mod phrase;
pub mod progress;
pub mod reconcile;
pub mod reporter;
pub mod rollup;
pub mod sentences;
pub mod standing;
pub mod status;
pub mod storing;
pub mod traits;
pub mod turning_points;
pub mod verdicts;
pub mod view;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use netdiag_crds::NodeNetReport;

use crate::{coverage::Coverage, stored_report::is_of_former_node, stores::Stores};

/// Name of this controller in logs and metrics.
pub const NAME: &str = "diagnosis";

/// The facts that a diagnosis is decided upon, besides itself and the time.
pub struct World {
    nodes: BTreeMap<String, Arc<Node>>,
    reports: BTreeMap<String, Arc<NodeNetReport>>,
    silences: HashMap<String, i64>,
    coverage: Arc<Coverage>,
}

impl World {
    /// The world as the caches have it now, with agents on the nodes of `coverage`.
    pub fn snapshot(stores: &Stores, coverage: Arc<Coverage>) -> Self {
        let world = Self::new(
            stores.nodes.state(),
            stores.reports.state(),
            stores.heartbeats.silences(),
        );
        Self { coverage, ..world }
    }

    /// The nodes of the cluster, their reports, and for how many seconds each agent has written nothing.
    pub fn new<N: Into<Arc<Node>>, R: Into<Arc<NodeNetReport>>>(
        nodes: impl IntoIterator<Item = N>,
        reports: impl IntoIterator<Item = R>,
        silences: HashMap<String, i64>,
    ) -> Self {
        let nodes = nodes.into_iter().map(Into::into);
        let reports = reports.into_iter().map(Into::into);
        Self {
            nodes: nodes.map(|node| (node.name_any(), node)).collect(),
            reports: reports.map(|report| (report.name_any(), report)).collect(),
            silences,
            coverage: Arc::default(),
        }
    }

    /// Each node with its report. The report of a former node of that name is not its report.
    fn nodes(&self) -> impl Iterator<Item = (&str, &Node, Option<&NodeNetReport>)> {
        self.nodes.iter().map(|(name, node)| {
            let report = self.reports.get(name).map(Arc::as_ref);
            let report = report.filter(|report| !is_of_former_node(report, node));
            (name.as_str(), node.as_ref(), report)
        })
    }

    fn silence(&self, name: &str) -> i64 {
        self.silences.get(name).copied().unwrap_or_default()
    }

    fn has_node(&self, name: &str) -> bool {
        self.nodes.contains_key(name)
    }
}
