//! The watches that fill the caches, and wake the controllers.

use kube::{Client, runtime::reflector};
use netdiag_crds::NodeNetDiagnosis;
use netdiag_telemetry::health::Health;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    heartbeats::Heartbeats,
    run::time::RunningTime,
    stored_report::shrink::shrink,
    stores::{Stores, shrink_node},
    wake::{DiagnosisChanges, NodeChanges, Queues, ReportChanges, Waker},
    watch::Watch,
};

/// Starts the watches on `tracker`; they end with `shutdown`.
pub fn start(
    client: &Client,
    time: &RunningTime,
    health: &Health,
    tracker: &TaskTracker,
    shutdown: &CancellationToken,
) -> (Stores, Queues) {
    let (nodes, node_writer) = reflector::store();
    let (reports, report_writer) = reflector::store();
    let (diagnoses, diagnosis_writer) = reflector::store();
    let stores = Stores {
        nodes,
        reports,
        diagnoses,
        heartbeats: Heartbeats::new(time.clone()),
    };
    let (waker, queues) = Waker::new(stores.clone());

    let nodes = Watch {
        name: "watch of Node",
        client,
        time,
        health,
        writer: node_writer,
        tidy: shrink_node,
    };
    let mut changes = NodeChanges::new(&waker);
    nodes.spawn(tracker, shutdown, move |node| changes.changed(node));
    let reports = Watch {
        name: "watch of NodeNetReport",
        client,
        time,
        health,
        writer: report_writer,
        tidy: shrink,
    };
    let mut changes = ReportChanges::new(&waker);
    reports.spawn(tracker, shutdown, move |report| changes.changed(report));
    let diagnoses = Watch {
        name: "watch of NodeNetDiagnosis",
        client,
        time,
        health,
        writer: diagnosis_writer,
        tidy: |diagnosis: &mut NodeNetDiagnosis| diagnosis.metadata.managed_fields = None,
    };
    let mut changes = DiagnosisChanges::new(&waker);
    diagnoses.spawn(tracker, shutdown, move |diagnosis| {
        changes.changed(diagnosis);
    });
    (stores, queues)
}
