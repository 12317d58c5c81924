//! Tests of what is left out, and for how long.

use kube::api::DynamicObject;
use netdiag_client::{
    bounded::Deadlines,
    testing::{Fault, REPORTS, Server},
};
use serde_json::json;

use super::*;

/// A server that has these fields of a status, and a report.
async fn server(status: Value) -> (Server, Api<DynamicObject>) {
    let server = Server::start().await.unwrap();
    declare(&server, &status);
    let report = json!({"apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport", "metadata": {"name": "n"}});
    server.put(REPORTS, "n", report);
    let kind = kube::api::ApiResource::erase::<netdiag_crds::NodeNetReport>(&());
    let client = server.client(Deadlines::default()).unwrap();
    (server, Api::all_with(client, &kind))
}

fn declare(server: &Server, status: &Value) {
    let status = json!({"properties": status});
    server.declare(REPORTS, json!({"properties": {"status": status}}));
}

async fn write(older: &OlderSchema, api: &Api<DynamicObject>) -> Result<(), kube::Error> {
    let body = json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport", "metadata": {"name": "n"},
        "status": {"a": 1, "b": {"c": 2, "d": 3}},
    });
    older
        .apply(api, Part::Status, ("n", "test"), &body, |_, _| {})
        .await
}

fn stored(server: &Server) -> Value {
    server.get(REPORTS, "n").unwrap()["status"].clone()
}

#[tokio::test]
async fn what_is_lacking_is_learned_once_and_tried_again_later() {
    let (server, api) = server(json!({"b": {"properties": {"c": {"type": "integer"}}}})).await;
    let time = RunningTime::start();
    let older = OlderSchema::new(time.clone());
    write(&older, &api).await.unwrap();
    assert_eq!(server.requests().len(), 3, "one more for each level");
    assert_eq!(stored(&server), json!({"b": {"c": 2}}));
    assert_eq!(older.lacking().to_string(), "status: a; status.b: d");
    write(&older, &api).await.unwrap();
    assert_eq!(server.requests().len(), 4);
    let mut pauses = vec![older.retry().unwrap()];
    for _ in 0..4 {
        time.skip(older.retry().unwrap().unsigned_abs());
        write(&older, &api).await.unwrap();
        pauses.push(older.retry().unwrap());
    }
    assert_eq!(pauses, [20, 40, 80, 160, 300]);

    let integer = json!({"type": "integer"});
    declare(
        &server,
        &json!({"a": integer, "b": {"properties": {"c": integer, "d": integer}}}),
    );
    write(&older, &api).await.unwrap();
    assert!(stored(&server).get("a").is_none(), "it is not time yet");
    time.skip(RETRY.unsigned_abs());
    write(&older, &api).await.unwrap();
    assert_eq!(stored(&server), json!({"a": 1, "b": {"c": 2, "d": 3}}));
    assert!(older.lacking().is_empty() && older.retry().is_none());
}

#[tokio::test]
async fn another_refusal_is_passed_on() {
    let (server, api) = server(json!({})).await;
    let older = OlderSchema::new(RunningTime::start());
    server.fault(|_| {
        Some(Fault::Refuse {
            code: 409,
            retry_after: None,
        })
    });
    let refused = write(&older, &api).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 409));
    assert!(older.retry().is_none());
}
