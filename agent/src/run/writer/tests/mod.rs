//! Tests of the requests that go over the wire.

use netdiag_client::{
    bounded::Deadlines,
    testing::{Fault, REPORTS, Server},
};
use serde_json::Value;

use super::*;

mod older;

/// A writer to a server that holds the report and gives these answers in turn: a status, and the seconds that it asks to
/// wait.
async fn server(answers: Vec<(u16, Option<u32>)>) -> (Writer, Server) {
    let server = Server::start().await.unwrap();
    let report = json!({"apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
                        "metadata": {"name": "n"}, "spec": {"assignments": []}});
    server.put(REPORTS, "n", report);
    let mut answers = answers.into_iter();
    server.fault(move |_| {
        let (code, retry_after) = answers.next()?;
        (code != 200).then_some(Fault::Refuse { code, retry_after })
    });
    let client = server.client(Deadlines::default()).unwrap();
    (Writer::new(Api::all(client), "n".to_owned()), server)
}

/// The statuses that were sent.
fn sent(server: &Server) -> Vec<Value> {
    let requests = server.requests().into_iter();
    requests
        .map(|request| request.body["status"].clone())
        .collect()
}

fn status(generation: i64) -> NodeNetReportStatus {
    NodeNetReportStatus {
        observed_generation: Some(generation),
        ..NodeNetReportStatus::default()
    }
}

#[tokio::test]
async fn a_status_is_applied_whole_by_its_own_manager_and_only_when_it_changed() {
    let (mut writer, server) = server(vec![]).await;
    for generation in [1, 1, 2, 2] {
        writer.want(status(generation), Duration::ZERO);
        writer.write().await;
    }
    let requests = server.requests();
    let first = &requests[0];
    assert_eq!(first.method, "PATCH");
    assert_eq!(first.path, format!("{REPORTS}/n/status"));
    let query = &first.query;
    assert!(query.contains("force=true") && query.contains("fieldManager=netdiag-agent"));
    assert_eq!(first.content_type, "application/apply-patch+yaml");
    assert_eq!(
        first.body,
        json!({"apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
               "metadata": {"name": "n"}, "status": {"observedGeneration": 1}})
    );
    assert_eq!(requests[1].body["status"]["observedGeneration"], 2);
    assert_eq!(requests.len(), 2, "nothing else was written");
}

#[tokio::test]
async fn a_status_that_is_there_already_is_not_written() {
    let (mut writer, server) = server(vec![]).await;
    writer.found(Some(status(1)));
    writer.want(status(1), Duration::ZERO);
    assert!(writer.due.is_none());
    writer.write().await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_the_schema_refuses_is_written_in_short_and_tried_again_much_later() {
    let (mut writer, server) = server(vec![(422, None)]).await;
    let mut wanted = status(1);
    wanted.agent = Some(Default::default());
    writer.want(wanted, Duration::ZERO);
    writer.write().await;
    let sent = sent(&server);
    assert!(sent[0]["agent"].is_object());
    assert_eq!(sent[1], json!({"observedGeneration": 1}));
    assert!(writer.due.is_none());
    let again = writer.older.as_ref().unwrap().full_at - Instant::now();
    assert!(
        again > Duration::from_secs(10) && again <= FIRST_RETRY_REFUSED,
        "{again:?}"
    );
}

#[tokio::test]
async fn an_api_server_that_is_away_is_asked_again_by_the_timer_alone() {
    let (mut writer, server) = server(vec![(500, None)]).await;
    writer.want(status(1), Duration::ZERO);
    writer.write().await;
    let due = writer.due.unwrap();
    assert!(due > Instant::now());
    // A change while it is away waits for the same moment.
    writer.want(status(2), Duration::ZERO);
    assert_eq!(writer.due, Some(due));
    writer.due().await;
    writer.write().await;
    let sent = sent(&server);
    assert_eq!(sent[0]["observedGeneration"], 1);
    assert_eq!(sent[1]["observedGeneration"], 2);
    assert!(writer.due.is_none());
}

#[tokio::test]
async fn news_that_was_given_time_can_be_hurried_and_a_failing_write_cannot() {
    let (mut writer, _server) = server(vec![(500, None)]).await;
    writer.want(status(1), Duration::from_secs(60));
    // The same status again does not bring it forward.
    writer.want(status(1), Duration::ZERO);
    assert!(writer.due.unwrap() > Instant::now());
    writer.hurry();
    assert!(writer.due.unwrap() <= Instant::now());
    writer.write().await;
    let retry = writer.due;
    writer.hurry();
    assert_eq!(writer.due, retry);
}

#[tokio::test]
async fn an_object_that_is_gone_and_comes_again_is_written_though_the_last_write_failed() {
    let (mut writer, _server) = server(vec![(404, None)]).await;
    writer.want(status(1), Duration::ZERO);
    writer.write().await;
    writer.gone();
    assert!(writer.due.is_none());
    writer.found(None);
    writer.want(status(1), Duration::ZERO);
    writer.due().await;
    writer.write().await;
    assert_eq!(writer.written, Some(status(1)));
}

#[tokio::test]
async fn a_write_that_failed_and_is_no_longer_wanted_holds_back_none() {
    let (mut writer, _server) = server(vec![(500, None)]).await;
    writer.found(Some(status(1)));
    writer.want(status(2), Duration::ZERO);
    writer.write().await;
    writer.want(status(1), Duration::ZERO);
    assert!(writer.due.is_none());
    writer.want(status(3), Duration::ZERO);
    writer.due().await;
    writer.write().await;
    assert_eq!(writer.written, Some(status(3)));
}

#[tokio::test]
async fn an_object_that_was_replaced_unseen_gets_the_status_that_the_former_had() {
    let (mut writer, _server) = server(vec![]).await;
    writer.want(status(1), Duration::ZERO);
    writer.write().await;
    writer.found(None);
    writer.want(status(1), Duration::ZERO);
    assert!(writer.due.is_some());
}

#[tokio::test]
async fn a_write_that_is_told_to_wait_is_tried_no_sooner_whatever_changes() {
    let (mut writer, server) = server(vec![(429, Some(3))]).await;
    writer.want(status(1), Duration::ZERO);
    writer.write().await;
    writer.want(status(2), Duration::ZERO);
    writer.hurry();
    writer.due().await;
    writer.write().await;
    let requests = server.requests();
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_secs(3), "{pause:?}");
    let report = server.get(REPORTS, "n").unwrap();
    assert_eq!(report["status"]["observedGeneration"], 2);
}

fn refusal(code: u16, message: &str) -> WriteRefusal {
    WriteRefusal::of(&kube::core::Status::failure(message, "").with_code(code))
}

#[test]
fn only_what_the_schema_refuses_is_written_in_short() {
    let unknown = "failed to create typed patch object (/n; netdiag.dev/v1alpha1, Kind=NodeNetReport): \
                   .status.x: field not declared in schema";
    assert!(matches!(refusal(500, unknown), WriteRefusal::Schema { .. }));
    assert!(matches!(
        refusal(422, "too long"),
        WriteRefusal::Schema { .. }
    ));
    assert!(matches!(
        refusal(500, "etcd is away"),
        WriteRefusal::Other { .. }
    ));
    assert!(matches!(
        refusal(403, "forbidden"),
        WriteRefusal::Other { .. }
    ));
    assert!(matches!(
        refusal(404, "not found"),
        WriteRefusal::Other { .. }
    ));
}
