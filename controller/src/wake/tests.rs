use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use netdiag_crds::report::Window;

use super::*;
use crate::{
    heartbeats::Heartbeats,
    run::time::RunningTime,
    stored_report::shrink::shrink,
    testing::{self, ReportBuilder},
};

/// Caches with two nodes, and who was woken.
struct Caches {
    nodes: Writer<Node>,
    reports: Writer<NodeNetReport>,
    diagnoses: Writer<NodeNetDiagnosis>,
    of_nodes: NodeChanges,
    of_reports: ReportChanges,
    of_diagnoses: DiagnosisChanges,
    queues: Queues,
    time: RunningTime,
}

impl Caches {
    fn new() -> Self {
        let (nodes, node_writer) = reflector::store();
        let (reports, report_writer) = reflector::store();
        let (diagnoses, diagnosis_writer) = reflector::store();
        let time = RunningTime::start();
        let (waker, queues) = Waker::new(Stores {
            nodes,
            reports,
            diagnoses,
            heartbeats: Heartbeats::new(time.clone()),
        });
        let mut caches = Self {
            nodes: node_writer,
            reports: report_writer,
            diagnoses: diagnosis_writer,
            of_nodes: NodeChanges::new(&waker),
            of_reports: ReportChanges::new(&waker),
            of_diagnoses: DiagnosisChanges::new(&waker),
            queues,
            time,
        };
        for name in ["a", "b"] {
            caches.node(&testing::node(name));
        }
        caches.woken();
        caches
    }

    fn node(&mut self, node: &Node) -> Vec<String> {
        self.nodes.apply_watcher_event(&Event::Apply(node.clone()));
        self.of_nodes.changed(Some(node));
        self.woken()
    }

    fn report(&mut self, mut report: NodeNetReport) -> Vec<String> {
        shrink(&mut report);
        self.reports
            .apply_watcher_event(&Event::Apply(report.clone()));
        self.of_reports.changed(Some(&report));
        self.woken()
    }

    fn diagnosis(&mut self, diagnosis: &NodeNetDiagnosis) -> Vec<String> {
        let event = Event::Apply(diagnosis.clone());
        self.diagnoses.apply_watcher_event(&event);
        self.of_diagnoses.changed(Some(diagnosis));
        self.woken()
    }

    /// Whom the last change woke: nodes, and diagnoses.
    fn woken(&mut self) -> Vec<String> {
        let mut woken = Vec::new();
        while let Ok(node) = self.queues.nodes.try_recv() {
            woken.push(node.obj_ref.name);
        }
        while let Ok(diagnosis) = self.queues.diagnoses.try_recv() {
            woken.push(diagnosis.obj_ref.name);
        }
        woken.sort();
        woken
    }
}

#[test]
fn the_heartbeat_of_a_node_wakes_nobody_and_its_labels_do() {
    let mut caches = Caches::new();
    caches.diagnosis(&testing::started_diagnosis());
    let mut node = testing::node("a");
    node.metadata.resource_version = Some("2".into());
    assert_eq!(caches.node(&node), [""; 0]);
    node.labels_mut().insert("pool".into(), "small".into());
    assert_eq!(caches.node(&node), ["a", "rx-dropped"]);
    assert_eq!(
        caches.node(&testing::unready_node("a")),
        ["a", "rx-dropped"]
    );
}

#[test]
fn a_finished_run_is_woken_by_late_results_and_deleted_nodes_only() {
    let mut caches = Caches::new();
    let mut diagnosis = testing::started_diagnosis();
    let status = diagnosis.status.as_mut().expect("started");
    status.completion_time = Some(Time(testing::at(40)));
    caches.diagnosis(&diagnosis);
    let assigned = ReportBuilder::new("b").assigned(0);
    assert_eq!(caches.report(assigned.build()), ["b", "rx-dropped"]);
    assert_eq!(caches.node(&testing::unready_node("a")), ["a"]);
    let late = ReportBuilder::new("b").assigned(0).result("Finished");
    assert_eq!(caches.report(late.build()), ["rx-dropped"]);
    let gone = testing::node("b");
    caches
        .nodes
        .apply_watcher_event(&Event::Delete(gone.clone()));
    caches.of_nodes.changed(Some(&gone));
    assert_eq!(caches.woken(), ["b", "rx-dropped"]);
}

#[test]
fn acknowledgements_running_windows_and_heartbeats_wake_nobody() {
    let mut caches = Caches::new();
    let report = || ReportBuilder::new("a").assigned(0);
    assert_eq!(caches.report(report().build()), ["a", "rx-dropped"]);
    // The agent is heard of for the first time, which tells silent agents from none.
    assert_eq!(
        caches.report(report().acknowledged().build()),
        ["rx-dropped"]
    );
    assert_eq!(caches.report(report().result("Running").build()), [""; 0]);
    let finished = |end: i64| {
        let mut report = report().result("Finished").written(end).build();
        let status = report.status.as_mut().expect("built");
        status.results[0].window = Some(Window {
            start_time: Time(testing::at(end - 35)),
            end_time: Some(Time(testing::at(end))),
            duration_seconds: 35,
            attempts: 1,
        });
        report
    };
    assert_eq!(caches.report(finished(36)), ["rx-dropped"]);
    assert_eq!(caches.report(finished(71)), [""; 0]);
    let refused = report().refused();
    assert_eq!(caches.report(refused.build()), ["rx-dropped"]);
}

#[test]
fn a_continuous_run_learns_that_an_agent_is_back_though_it_says_the_same() {
    let mut caches = Caches::new();
    let mut written = |seconds: i64| {
        let report = ReportBuilder::new("a").assigned(0).result("Finished");
        let mut report = report.written(seconds).build();
        report.spec.assignments[0].mode = Mode::Continuous;
        caches.time.skip(seconds.unsigned_abs());
        caches.report(report)
    };
    assert_eq!(written(10), ["a", "rx-dropped"]);
    // Two windows of 35 s and a minute.
    assert_eq!(written(129), [""; 0]);
    assert_eq!(written(130), ["rx-dropped"]);
    assert_eq!(written(20), [""; 0]);
}

#[test]
fn another_runs_result_wakes_no_diagnosis_but_its_own() {
    let mut caches = Caches::new();
    let both = || {
        let report = ReportBuilder::new("a").assigned_for("other", "uid-2", 0);
        report.assigned(0)
    };
    assert_eq!(caches.report(both().build()), ["a", "other", "rx-dropped"]);
    caches.report(both().acknowledged().build());
    assert_eq!(
        caches.report(both().result("Finished").build()),
        ["rx-dropped"]
    );
}

#[test]
fn a_status_that_gives_nobody_another_part_wakes_nobody() {
    let mut caches = Caches::new();
    let mut diagnosis = testing::started_diagnosis();
    // It began with the node `a` as its only member.
    assert_eq!(caches.diagnosis(&diagnosis), ["a", "rx-dropped"]);
    let status = diagnosis.status.as_mut().expect("started");
    status.elapsed_seconds = Some(30);
    status.summary.as_mut().expect("started").nodes = "1/2".into();
    assert_eq!(caches.diagnosis(&diagnosis), [""; 0]);
    let status = diagnosis.status.as_mut().expect("started");
    status.completion_time = Some(Time(testing::at(40)));
    assert_eq!(caches.diagnosis(&diagnosis), ["a", "rx-dropped"]);
    diagnosis.spec.suspend = true;
    diagnosis.metadata.generation = Some(2);
    assert_eq!(caches.diagnosis(&diagnosis), ["a", "rx-dropped"]);
}

#[tokio::test]
async fn a_report_wakes_its_node_and_the_diagnoses_it_serves() {
    let mut caches = Caches::new();
    let report = ReportBuilder::new("a").assigned(0).refused().build();
    assert_eq!(caches.report(report.clone()), ["a", "rx-dropped"]);
    caches
        .reports
        .apply_watcher_event(&Event::Delete(report.clone()));
    caches.of_reports.changed(Some(&report));
    let node = caches.queues.nodes.next().await.expect("woken");
    let diagnosis = caches.queues.diagnoses.next().await.expect("woken");
    assert_eq!(node.obj_ref.name, "a");
    assert_eq!(diagnosis.obj_ref.name, "rx-dropped");
}
