//! The whole controller under the CRDs of the first release.

use netdiag_crds::{
    schema::yaml,
    testing::{RELEASE_0_1, REPORT_0_1_FRAGMENTS, REPORT_0_1_LLDP, schema},
};

use super::*;

const KINDS: [(&str, &str); 2] = [(DIAGNOSES, "NodeNetDiagnosis"), (REPORTS, "NodeNetReport")];

fn declare(server: &Server, definitions: &str) {
    for (collection, kind) in KINDS {
        server.declare(collection, schema(definitions, kind));
    }
}

/// Writes of a diagnosis' status.
fn status_writes(cluster: &Cluster) -> usize {
    let requests = cluster.server.requests();
    let writes = requests.iter().filter(|request| request.writes(DIAGNOSES));
    writes.count()
}

fn find(report: &mut Value) {
    finish(report);
    report["status"]["results"][0]["findings"] = json!([{
        "id": "LinkMtu/PeerMtuSmaller/veth1", "check": "LinkMtu", "cause": "PeerMtuSmaller", "severity": "Critical",
        "confidence": "Certain", "summary": "veth1 takes frames of 1500 bytes at most",
    }]);
}

#[tokio::test]
async fn a_run_ends_under_older_definitions_with_all_that_they_have_a_field_for() {
    let cluster = Cluster::of(3).await;
    declare(&cluster.server, RELEASE_0_1);
    cluster.assign(3).await;
    cluster
        .until("a frozen run", |of| of.status()["nodesFrozen"] == true)
        .await;
    cluster.server.edit(REPORTS, "n00", find);
    cluster.finish_until("Complete 3/3").await;
    let status = cluster.status();
    assert_eq!(status["nodes"]["affected"], 1, "{status:#}");
    assert_eq!(status["findings"][0]["severity"], "Critical");
    assert!(status.get("members").is_none() && status["findings"][0].get("harm").is_none());

    // What cannot be stored is no reason to write again and again.
    let before = status_writes(&cluster);
    cluster.pass_time(1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(status_writes(&cluster), before);
}

#[tokio::test]
async fn a_node_that_cannot_be_assigned_yet_stays_in_a_run_that_remembers_no_names() {
    let cluster = Cluster::of(2).await;
    declare(&cluster.server, RELEASE_0_1);
    cluster.server.fault(|request| {
        is_write_of(request, "n01").then_some(Fault::Refuse {
            code: 500,
            retry_after: None,
        })
    });
    cluster.assign(1).await;
    cluster.server.edit(REPORTS, "n00", finish);
    cluster
        .until("its result", |of| of.columns() == "Running 1/2")
        .await;
    assert_eq!(cluster.status()["nodesFrozen"], false);
    cluster.server.fault(|_| None);
    cluster
        .until("the other assignment", |of| of.assigned() == 2)
        .await;
    cluster.finish_until("Complete 2/2").await;
    assert_eq!(cluster.status()["nodesFrozen"], true);
}

#[tokio::test]
async fn definitions_that_are_updated_meanwhile_get_everything() {
    let cluster = Cluster::of(1).await;
    declare(&cluster.server, RELEASE_0_1);
    cluster.assign(1).await;
    cluster.server.edit(REPORTS, "n00", find);
    cluster
        .until("the end", |of| of.columns() == "Complete 1/1")
        .await;
    cluster
        .until("its Event", |of| of.is_announced("Complete"))
        .await;
    assert!(cluster.status().get("members").is_none());
    declare(&cluster.server, &yaml().unwrap());
    cluster.pass_time(20);
    cluster
        .until("the rest", |of| of.status()["members"] == json!(["n00"]))
        .await;
    let status = cluster.status();
    assert_eq!(status["findings"][0]["harm"], "Loss", "{status:#}");
    assert_eq!(cluster.columns(), "Complete 1/1");
}

#[tokio::test]
async fn a_report_of_the_first_release_is_rolled_up_with_the_harm_that_it_implies() {
    let cluster = Cluster::of(2).await;
    cluster.assign(2).await;
    for (node, report) in [("n00", REPORT_0_1_FRAGMENTS), ("n01", REPORT_0_1_LLDP)] {
        let recorded: Value = serde_json::from_str(report).unwrap();
        cluster.server.edit(REPORTS, node, |report| {
            finish(report);
            let mut result = recorded["status"]["results"][0].clone();
            for (name, value) in report["status"]["results"][0].as_object().unwrap() {
                result[name] = value.clone();
            }
            report["status"] = recorded["status"].clone();
            report["status"]["observedGeneration"] = report["metadata"]["generation"].clone();
            report["status"]["results"] = json!([result]);
        });
    }
    // Each could check something in part only.
    cluster
        .until("the end", |of| of.columns() == "Degraded 2/2")
        .await;
    let status = cluster.status();
    assert_eq!(status["nodes"]["affected"], 1, "{status:#}");
    let findings = status["findings"].as_array().unwrap();
    let harms: Vec<_> = findings
        .iter()
        .map(|finding| (finding["severity"].as_str(), finding["harm"].as_str()))
        .collect();
    assert_eq!(harms.first(), Some(&(Some("Critical"), Some("Loss"))));
    assert_eq!(harms.last(), Some(&(Some("Info"), Some("Unknown"))));
    let worst = &status["nodeFindings"][0];
    assert_eq!(worst["name"], "n00");
    assert_eq!(worst["findings"][0]["harm"], "Loss");
}
