//! The nodes that `nodes.all` selects, by the agents' DaemonSet on the API server.

use super::*;

const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/netdiag-system/daemonsets";
const AGENTS: &str = "netdiag-agent";

/// Four nodes, of which one runs Windows and one is tainted, and agents on Linux nodes without that taint.
async fn fleet() -> Server {
    let server = Cluster::server(4).await;
    server.edit(NODES, "n01", |node| {
        node["metadata"]["labels"] = json!({"kubernetes.io/os": "windows"});
    });
    server.edit(NODES, "n02", |node| {
        node["spec"]["taints"] = json!([{"key": "virtual", "effect": "NoExecute"}]);
    });
    let daemon_set = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": AGENTS},
        "spec": {"selector": {}, "template": {"spec": {"containers": []}}},
    });
    server.put(DAEMON_SETS, AGENTS, daemon_set);
    server
}

fn at_work(server: Server) -> Cluster {
    Cluster::on(server, |client| {
        Agents::of(client, "netdiag-system", AGENTS)
    })
}

fn reads(of: &Cluster) -> usize {
    let requests = of.server.requests();
    let path = format!("{DAEMON_SETS}/{AGENTS}");
    requests.iter().filter(|it| it.path == path).count()
}

fn rerun(cluster: &Cluster, word: &str) {
    cluster.server.edit(DIAGNOSES, "d", |diagnosis| {
        diagnosis["spec"]["rerun"] = json!(word);
    });
}

#[tokio::test]
async fn nodes_that_can_have_no_agent_are_counted_named_and_not_waited_for() {
    let cluster = at_work(fleet().await);
    cluster.assign(2).await;
    cluster.finish_until("Complete 2/2").await;
    let status = cluster.status();
    assert_eq!(status["nodes"]["notCovered"], 2, "{status:#}");
    assert_eq!(status["nodes"]["unreachable"], 0);
    assert_eq!(status["coverage"]["notCovered"], json!(["n01", "n02"]));
    assert_eq!(
        cluster.message("Degraded"),
        "every check was made on every node; 2 nodes not selected, because no agent can be there (n01, n02)"
    );
    assert!(!cluster.is_assigned("n01") && !cluster.is_assigned("n02"));

    // A node that joins is none of this run, whatever it is.
    let before = reads(&cluster);
    let late = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n99", "uid": "u", "labels": {"kubernetes.io/os": "windows"}},
    });
    cluster.server.put(NODES, "n99", late);
    cluster
        .until("its report", |of| of.server.get(REPORTS, "n99").is_some())
        .await;
    assert_eq!(cluster.status(), status);
    assert_eq!(reads(&cluster), before);

    // The next run reads the DaemonSet again.
    cluster.server.edit(DAEMON_SETS, AGENTS, |daemon_set| {
        daemon_set["spec"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    });
    rerun(&cluster, "again");
    cluster
        .until("the third assignment", |of| of.is_assigned("n02"))
        .await;
    cluster
        .until("the second run", |of| of.columns() == "Running 0/3")
        .await;
    assert_eq!(
        cluster.status()["coverage"]["notCovered"],
        json!(["n01", "n99"])
    );
}

#[tokio::test]
async fn a_daemon_set_that_may_not_be_read_leaves_every_linux_node_and_is_told() {
    let server = fleet().await;
    server.fault(|request| {
        request
            .path
            .starts_with(DAEMON_SETS)
            .then_some(Fault::Refuse {
                code: 403,
                retry_after: None,
            })
    });
    let cluster = at_work(server);
    cluster.assign(3).await;
    cluster.finish_until("Complete 3/3").await;
    let said = cluster.message("Degraded");
    let why =
        "every Linux node was selected, because the DaemonSet netdiag-agent could not be read: ";
    assert!(said.contains(why), "{said}");
    assert!(said.contains("1 node not selected"), "{said}");
    assert_eq!(cluster.status()["nodes"]["notCovered"], 1);
}

#[tokio::test]
async fn a_run_begins_when_the_daemon_set_could_be_read() {
    let server = fleet().await;
    server.fault(|request| {
        request
            .path
            .starts_with(DAEMON_SETS)
            .then_some(Fault::Refuse {
                code: 503,
                retry_after: Some(1),
            })
    });
    let cluster = at_work(server);
    cluster.diagnose();
    cluster.until("two attempts", |of| reads(of) > 1).await;
    assert_eq!(cluster.status(), Value::Null);
    cluster.server.fault(|_| None);
    cluster
        .until("the assignments", |of| of.assigned() == 2)
        .await;
    assert_eq!(cluster.status()["nodes"]["selected"], 2);
}

#[tokio::test]
async fn a_continuous_run_takes_who_joins_only_where_an_agent_can_be() {
    let cluster = at_work(fleet().await);
    let diagnosis = json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetDiagnosis",
        "metadata": {"name": "d", "uid": "uid-of-d", "generation": 1},
        "spec": {"nodes": {"all": true}, "continuous": {"intervalSeconds": 60}},
    });
    cluster.server.put(DIAGNOSES, "d", diagnosis);
    cluster
        .until("the assignments", |of| of.assigned() == 2)
        .await;
    for (name, system) in [("n98", "linux"), ("n99", "windows")] {
        let late = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "uid": name, "labels": {"kubernetes.io/os": system}},
        });
        cluster.server.put(NODES, name, late);
    }
    cluster
        .until("the third assignment", |of| of.is_assigned("n98"))
        .await;
    cluster
        .until("the count", |of| of.status()["nodes"]["notCovered"] == 3)
        .await;
    assert!(!cluster.is_assigned("n99"));
}
