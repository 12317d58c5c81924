//! Tests of a schema that is older than the agent.

use netdiag_crds::{
    conditions::reasons,
    schema::yaml,
    testing::{RELEASE_0_1, sample, schema},
};

use super::*;

const KIND: &str = "NodeNetReport";

/// A status with every field that this release has.
fn whole() -> NodeNetReportStatus {
    let today = schema(&yaml().unwrap(), KIND);
    let mut status = sample(&today["properties"]["status"]);
    status["conditions"][0]["reason"] = json!(reasons::AGENT_RUNNING);
    status["conditions"][0]["status"] = json!("True");
    status["results"][0]["findings"][0]["severity"] = json!("Critical");
    serde_json::from_value(status).unwrap()
}

/// A writer to a server that has the definitions of the first release.
async fn old_server() -> (Writer, Server) {
    let (writer, server) = server(vec![]).await;
    server.declare(REPORTS, schema(RELEASE_0_1, KIND));
    (writer, server)
}

fn stored(server: &Server) -> Value {
    server.get(REPORTS, "n").unwrap()["status"].clone()
}

#[tokio::test]
async fn under_an_older_schema_findings_are_kept_and_the_new_fields_left_out() {
    let (mut writer, server) = old_server().await;
    writer.want(whole(), Duration::ZERO);
    writer.write().await;
    let stored = stored(&server);
    let finding = &stored["results"][0]["findings"][0];
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["evidence"][0]["name"], "x");
    assert_eq!(finding["remedies"][0]["command"], "x");
    assert!(finding.get("harm").is_none() && stored.get("facts").is_none());
    let ready = &stored["conditions"][0];
    assert_eq!(ready["reason"], "SchemaOlder");
    assert_eq!(ready["status"], "True");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("apply those of version"), "{message}");
    assert!(message.contains(" culprit,"), "{message}");
    assert!(message.ends_with("status.summary: harm, lost"), "{message}");
}

#[tokio::test]
async fn what_an_older_schema_lacks_is_learned_once() {
    let (mut writer, server) = old_server().await;
    writer.want(whole(), Duration::ZERO);
    writer.write().await;
    let learned = server.requests().len();
    let mut next = whole();
    next.observed_generation = Some(2);
    writer.want(next.clone(), Duration::ZERO);
    writer.write().await;
    assert_eq!(server.requests().len(), learned + 1);
    assert_eq!(stored(&server)["observedGeneration"], 2);
    writer.want(next, Duration::ZERO);
    assert!(writer.due.is_none(), "it is written");
}

#[tokio::test]
async fn the_whole_status_is_written_as_soon_as_the_definitions_are_new() {
    let (mut writer, server) = old_server().await;
    writer.want(whole(), Duration::ZERO);
    writer.write().await;
    let mut pauses = Vec::new();
    // Nobody updates them for a while.
    for _ in 0..5 {
        let older = writer.older.as_mut().unwrap();
        pauses.push(older.pause.as_secs());
        assert!(older.full_at > Instant::now() + older.pause / 2);
        older.full_at = Instant::now();
        writer.due().await;
        writer.write().await;
        assert_eq!(stored(&server)["conditions"][0]["reason"], "SchemaOlder");
    }
    assert_eq!(pauses, [20, 40, 80, 160, 300]);

    writer.older.as_mut().unwrap().full_at = Instant::now();
    server.declare(REPORTS, schema(&yaml().unwrap(), KIND));
    writer.due().await;
    writer.write().await;
    assert_eq!(stored(&server), serde_json::to_value(whole()).unwrap());
    assert!(writer.older.is_none());
}

#[tokio::test]
async fn an_older_schema_that_refuses_a_value_too_gets_the_least_that_it_has() {
    let (mut writer, server) = old_server().await;
    server.fault(|request| {
        let has_findings = !request.body["status"]["results"][0]["findings"].is_null();
        let is_pruned = request.body["status"].get("facts").is_none();
        (has_findings && is_pruned).then_some(Fault::Refuse {
            code: 422,
            retry_after: None,
        })
    });
    writer.want(whole(), Duration::ZERO);
    writer.write().await;
    let stored = stored(&server);
    assert_eq!(stored["conditions"][0]["reason"], "SchemaMismatch");
    assert_eq!(stored["observedGeneration"], 1);
    assert!(stored["results"][0].get("findings").is_none());
}
