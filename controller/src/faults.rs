//! The whole controller against an API server that makes faults.

mod covered;
mod older;

use std::time::Duration;

use kube::Client;
use netdiag_client::{
    bounded::Deadlines,
    testing::{DIAGNOSES, Fault, NODES, REPORTS, Request, Server},
};
use netdiag_telemetry::health::Health;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    coverage::Agents,
    diagnosis,
    metrics::{Fleet, Metrics},
    report,
    run::time::RunningTime,
    serve::Work,
};

/// The deadline of a write where a test makes faults.
const SOON: Duration = Duration::from_secs(1);
/// A test that waits longer has failed, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

struct Cluster {
    server: Server,
    health: Health,
    time: RunningTime,
    shutdown: CancellationToken,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Cluster {
    /// So many nodes, a controller at work, and no diagnosis yet.
    async fn of(nodes: usize) -> Self {
        let server = Self::server(nodes).await;
        Self::on(server, |_| Agents::anywhere())
    }

    /// The same with a controller that waits for a busy machine, where each write counts.
    async fn patient(nodes: usize) -> Self {
        let server = Self::server(nodes).await;
        Self::within(PATIENCE, server, |_| Agents::anywhere())
    }

    async fn server(nodes: usize) -> Server {
        let server = Server::start().await.expect("a free port");
        for number in 0..nodes {
            let name = format!("n{number:02}");
            let node = json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "uid": format!("uid-of-{name}")},
            });
            server.put(NODES, &name, node);
        }
        server
    }

    /// A controller at work, with agents of a DaemonSet.
    fn on(server: Server, agents: impl FnOnce(&Client) -> Agents) -> Self {
        Self::within(SOON, server, agents)
    }

    /// The same with this deadline of a write.
    fn within(write: Duration, server: Server, agents: impl FnOnce(&Client) -> Agents) -> Self {
        let cluster = Self {
            server,
            health: Health::default(),
            time: RunningTime::start(),
            shutdown: CancellationToken::new(),
        };
        let deadlines = Deadlines {
            read: Duration::from_secs(30),
            write,
        };
        let client = cluster.server.client(deadlines).expect("plain HTTP");
        let work = Work {
            agents: agents(&client),
            client,
            time: cluster.time.clone(),
            health: cluster.health.clone(),
            fleet: Fleet::default(),
            metrics: Metrics::new(&mut Registry::default(), [diagnosis::NAME, report::NAME]),
            shutdown: cluster.shutdown.clone(),
        };
        tokio::spawn(work.run());
        cluster
    }

    fn diagnose(&self) {
        let diagnosis = json!({
            "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetDiagnosis",
            "metadata": {"name": "d", "uid": "uid-of-d", "generation": 1},
            "spec": {"nodes": {"all": true}},
        });
        self.server.put(DIAGNOSES, "d", diagnosis);
    }

    fn status(&self) -> Value {
        let diagnosis = self.server.get(DIAGNOSES, "d").unwrap_or_default();
        diagnosis["status"].clone()
    }

    fn columns(&self) -> String {
        let summary = &self.status()["summary"];
        let text = |column: &str| summary[column].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("state"), text("nodes"))
    }

    fn is_assigned(&self, node: &str) -> bool {
        let report = self.server.get(REPORTS, node).unwrap_or_default();
        report["spec"]["assignments"][0]["name"] == "d"
    }

    fn assigned(&self) -> usize {
        let names = self.server.names(REPORTS);
        names.iter().filter(|name| self.is_assigned(name)).count()
    }

    /// Every agent that has an assignment finishes it.
    fn finish(&self) {
        for name in self.server.names(REPORTS) {
            self.server.edit(REPORTS, &name, finish);
        }
    }

    /// Diagnoses, and waits until so many nodes have the assignment.
    async fn assign(&self, nodes: usize) {
        self.diagnose();
        self.until("the assignments", |of| of.assigned() == nodes)
            .await;
    }

    /// Finishes the assignments, and waits for these columns.
    async fn finish_until(&self, columns: &str) {
        self.finish();
        self.until(columns, |of| of.columns() == columns).await;
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            let status = self.status();
            assert!(
                began.elapsed() < PATIENCE,
                "{what} did not come: {status:#}"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets so many running seconds pass, and something happen that wakes the controller.
    fn pass_time(&self, seconds: u64) {
        self.time.skip(seconds);
        self.server.edit(NODES, "n00", |node| {
            node["metadata"]["labels"] = json!({"after": seconds.to_string()});
        });
        // A finished run is no concern of a node's labels.
        self.server.edit(DIAGNOSES, "d", |diagnosis| {
            diagnosis["metadata"]["annotations"] = json!({"after": seconds.to_string()});
        });
    }

    /// True when the Event of a turning point was made, which follows the write that brought it.
    fn is_announced(&self, reason: &str) -> bool {
        let requests = self.server.requests();
        requests
            .iter()
            .any(|request| request.body["reason"] == reason)
    }

    /// The message of a condition.
    fn message(&self, type_: &str) -> String {
        let status = self.status();
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        let found = conditions.find(|condition| condition["type"] == type_);
        let message = found.and_then(|condition| condition["message"].as_str());
        message.unwrap_or_default().to_owned()
    }

    /// The moments at which this node's report was written.
    fn writes(&self, node: &str) -> Vec<Instant> {
        let requests = self.server.requests();
        let own = requests.iter().filter(|request| is_write_of(request, node));
        own.map(|request| request.at).collect()
    }
}

/// Reports the result of an assignment that has none yet, as an agent does.
fn finish(report: &mut Value) {
    let assignment = &report["spec"]["assignments"][0];
    if assignment.is_null() || !report["status"].is_null() {
        return;
    }
    report["status"] = json!({
        "observedGeneration": report["metadata"]["generation"],
        "results": [{
            "diagnosis": assignment["name"],
            "diagnosisUID": assignment["uid"],
            "runGeneration": assignment["runGeneration"],
            "state": "Finished",
        }],
    });
}

fn is_write_of(request: &Request, node: &str) -> bool {
    request.method == "PATCH" && request.path == format!("{REPORTS}/{node}")
}

#[tokio::test]
async fn nodes_whose_report_is_refused_are_waited_for_and_tried_when_the_server_says() {
    const ASKED: Duration = Duration::from_secs(3);
    let cluster = Cluster::of(6).await;
    let refuse = |request: &Request| {
        let is_refused = ["n00", "n01", "n02"]
            .iter()
            .any(|node| is_write_of(request, node));
        is_refused.then_some(Fault::Refuse {
            code: 429,
            retry_after: Some(3),
        })
    };
    cluster.server.fault(refuse);
    cluster.assign(3).await;
    cluster.finish_until("Running 3/6").await;
    cluster
        .until("a third attempt", |of| of.writes("n00").len() >= 3)
        .await;
    assert_eq!(cluster.columns(), "Running 3/6");
    for pair in cluster.writes("n00").windows(2) {
        let pause = pair[1] - pair[0];
        assert!(pause >= ASKED, "tried again after {pause:?}");
    }
    cluster.server.fault(|_| None);
    cluster
        .until("all assignments", |of| of.assigned() == 6)
        .await;
    cluster.finish_until("Complete 6/6").await;
}

#[tokio::test]
async fn writes_that_are_never_answered_do_not_stop_the_others() {
    let cluster = Cluster::of(20).await;
    // As many as are under way at a time.
    cluster.server.fault(|request| {
        let silent = (0..16).any(|number| is_write_of(request, &format!("n{number:02}")));
        silent.then_some(Fault::NoAnswer)
    });
    cluster.assign(4).await;
    cluster
        .until("a second attempt", |of| of.writes("n00").len() > 1)
        .await;
    assert_eq!(cluster.health.hanging(), Vec::<String>::new());
    assert_eq!(cluster.columns(), "Running 0/20");
    cluster.server.fault(|_| None);
    cluster
        .until("all assignments", |of| of.assigned() == 20)
        .await;
}

#[tokio::test]
async fn a_report_is_labelled_with_the_worst_that_its_agent_found_until_it_ends() {
    let cluster = Cluster::of(1).await;
    cluster.assign(1).await;
    cluster.finish_until("Complete 1/1").await;
    let finds = |harm: &str, severity: &str| {
        cluster.server.edit(REPORTS, "n00", |report| {
            report["status"]["summary"] = json!({
                "probes": "8/8", "harm": harm, "severity": severity, "findings": 1, "unexplained": 0,
            });
        });
    };
    let labels = |of: &Cluster| {
        let report = of.server.get(REPORTS, "n00").unwrap_or_default();
        report["metadata"]["labels"].clone()
    };
    for (harm, severity) in [("Outage", "Critical"), ("Loss", "Warning")] {
        finds(harm, severity);
        let both = json!({"netdiag.dev/harm": harm, "netdiag.dev/severity": severity});
        cluster.until(severity, |of| labels(of) == both).await;
    }
    let writes = cluster.writes("n00").len();
    // The same again wakes the controller, which has nothing to write.
    finds("Loss", "Warning");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.writes("n00").len(), writes);
    finds("", "");
    cluster
        .until("no labels", |of| labels(of) == json!({}))
        .await;
    assert!(cluster.is_assigned("n00"), "the list stays complete");
}

#[tokio::test]
async fn a_report_that_is_deleted_is_made_and_assigned_again() {
    let cluster = Cluster::of(2).await;
    cluster.assign(2).await;
    cluster.server.delete(REPORTS, "n01");
    cluster.until("it again", |of| of.is_assigned("n01")).await;
    cluster.finish_until("Complete 2/2").await;
}

#[tokio::test]
async fn watches_that_end_at_once_are_begun_anew_with_pauses() {
    let cluster = Cluster::of(1).await;
    cluster
        .server
        .fault(|request| request.is_watch().then_some(Fault::EndWatch));
    sleep(Duration::from_secs(4)).await;
    let requests = cluster.server.requests();
    let watches = requests.iter().filter(|request| request.is_watch());
    // Of each kind the first one, which may have begun before, and then pauses of 0.8, 1.6 .. seconds at least.
    let watches = watches.count();
    assert!((3..=15).contains(&watches), "{watches} watches in 4 s");
    cluster.server.fault(|_| None);
    cluster.assign(1).await;
}

#[tokio::test]
async fn versions_that_are_gone_and_errors_of_the_server_are_got_over() {
    for code in [410, 500, 503] {
        let cluster = Cluster::of(2).await;
        let mut left = 6;
        cluster.server.fault(move |request| {
            let hits = request.is_watch() || request.method != "GET";
            left -= i32::from(hits && left > 0);
            (hits && left > 0).then_some(Fault::Refuse {
                code,
                retry_after: None,
            })
        });
        cluster.assign(2).await;
        cluster.finish_until("Complete 2/2").await;
    }
}

#[tokio::test]
async fn who_cannot_be_assigned_and_who_is_silent_are_told_apart() {
    let cluster = Cluster::of(3).await;
    cluster.server.fault(|request| {
        is_write_of(request, "n02").then_some(Fault::Refuse {
            code: 500,
            retry_after: None,
        })
    });
    cluster.assign(2).await;
    cluster.server.edit(REPORTS, "n00", finish);
    cluster
        .until("a result", |of| of.columns() == "Running 1/3")
        .await;
    cluster.pass_time(61);
    cluster
        .until("a verdict on n01", |of| {
            of.status()["nodes"]["unreachable"] == 1
        })
        .await;
    assert_eq!(cluster.columns(), "Running 1/3", "n02 is still tried");
    cluster.pass_time(540);
    cluster
        .until("the end", |of| of.columns() == "Degraded 1/3")
        .await;
    let degraded = cluster.message("Degraded");
    assert!(
        degraded.contains("1 unreachable (n01 no agent)"),
        "{degraded}"
    );
    assert!(degraded.contains("1 not assigned (n02"), "{degraded}");
}

#[tokio::test]
async fn nobody_is_blamed_for_a_result_that_a_deaf_watch_did_not_bring() {
    let cluster = Cluster::of(2).await;
    cluster.diagnose();
    let is_running = |of: &Cluster| {
        of.message("Progressing")
            .starts_with("0 of 2 nodes reported")
    };
    cluster.until("both to be seen assigned", is_running).await;
    cluster.server.deafen(REPORTS);
    cluster.finish();
    cluster.pass_time(200);
    let looks = |of: &Cluster| {
        let requests = of.server.requests();
        let looks = requests
            .iter()
            .filter(|request| request.path == REPORTS && request.query.contains("fieldSelector"));
        looks.count()
    };
    cluster
        .until("a look at a report", |of| looks(of) > 1)
        .await;
    let counts = cluster.status()["nodes"].clone();
    assert_eq!(counts["unreachable"], 0, "{counts}");
    assert_eq!(cluster.columns(), "Running 0/2");
}

#[tokio::test]
async fn a_run_takes_two_writes_a_node_and_costs_nothing_when_it_is_over() {
    let cluster = Cluster::patient(30).await;
    cluster
        .until("the reports", |of| of.server.names(REPORTS).len() == 30)
        .await;
    cluster.assign(30).await;
    cluster.finish_until("Complete 30/30").await;
    cluster
        .until("its Event", |of| of.is_announced("Complete"))
        .await;
    for name in cluster.server.names(NODES) {
        let requests = cluster.server.requests();
        let own = requests
            .iter()
            .filter(|request| is_write_of(request, &name));
        // What was decided before the watch brought the last write is refused, and decided anew.
        let taken = own.filter(|request| request.code == Some(200));
        let bodies: Vec<&Value> = taken.map(|request| &request.body["spec"]).collect();
        let [made, assigned] = &bodies[..] else {
            panic!("the report of {name} is made, and assigned: {bodies:#?}")
        };
        assert_eq!(made["assignments"], json!([]));
        assert_eq!(assigned["assignments"][0]["name"], "d");
    }
    let requests = cluster.server.requests();
    let own = requests.iter().filter(|request| request.writes(DIAGNOSES));
    let moments: Vec<Instant> = own.map(|request| request.at).collect();
    for pair in moments.windows(2) {
        let pause = pair[1] - pair[0];
        // The controller counts from the answer, and this from the request.
        assert!(
            pause >= Duration::from_millis(990),
            "written again after {pause:?}"
        );
    }
    for name in cluster.server.names(NODES) {
        cluster.server.edit(NODES, &name, |node| {
            let beat = json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]);
            node["status"]["conditions"] = beat;
        });
        cluster.server.edit(REPORTS, &name, |report| {
            report["status"]["results"][0]["window"] = json!({
                "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:00Z", "durationSeconds": 1, "attempts": 1,
            });
        });
    }
    sleep(Duration::from_secs(3)).await;
    let later = cluster.server.requests();
    let later = later.iter().skip(requests.len());
    let later: Vec<&str> = later
        .filter(|request| request.method != "GET")
        .map(|request| request.path.as_str())
        .collect();
    assert_eq!(later, [""; 0]);
}

#[tokio::test]
async fn a_report_that_changes_all_the_time_is_written_no_more_often() {
    let cluster = Cluster::of(2).await;
    cluster.assign(2).await;
    cluster.server.edit(REPORTS, "n00", finish);
    cluster
        .until("a result", |of| of.columns() == "Running 1/2")
        .await;
    let before = cluster.server.requests().len();
    let began = Instant::now();
    for number in 0..40 {
        cluster.server.edit(REPORTS, "n00", |report| {
            report["status"]["results"][0]["ledger"] = json!([{
                "counter": "rx_dropped", "increase": number, "explained": [], "unexplained": number, "uncertainty": 0,
            }]);
        });
        sleep(Duration::from_millis(100)).await;
    }
    let requests = cluster.server.requests();
    let writes = requests
        .iter()
        .skip(before)
        .filter(|request| request.writes(DIAGNOSES));
    // Numbers of a small status wait for ten seconds.
    let most = 1 + began.elapsed().as_secs() / 10;
    let writes = u64::try_from(writes.count()).unwrap();
    assert!(writes <= most, "{writes} writes in {:?}", began.elapsed());
}
