//! What goes over the wire, told by a server that answers as an API server would.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc,
};

use super::*;

/// A request as the server read it.
struct Request {
    line: String,
    content_type: String,
    body: Value,
}

/// Serves one answer a request, (status, message), and hands over the requests.
async fn server(answers: Vec<(u16, &'static str)>) -> (Writer, mpsc::UnboundedReceiver<Request>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for (code, message) in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let header = |name: &str| {
                lines
                    .iter()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.to_owned())
                    .unwrap_or_default()
            };
            let mut body = vec![0; header("content-length").parse().unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            sender
                .send(Request {
                    line: lines[0].clone(),
                    content_type: header("content-type"),
                    body: serde_json::from_slice(&body).unwrap(),
                })
                .unwrap();
            let answer = if code == 200 {
                json!({"apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
                       "metadata": {"name": "n"}, "spec": {}})
            } else {
                json!({"apiVersion": "v1", "kind": "Status", "status": "Failure",
                       "code": code, "message": message, "reason": ""})
            };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    (Writer::new(Api::all(client), "n".to_owned()), receiver)
}

fn status(generation: i64) -> NodeNetReportStatus {
    NodeNetReportStatus {
        observed_generation: Some(generation),
        ..NodeNetReportStatus::default()
    }
}

#[tokio::test]
async fn a_status_is_applied_whole_by_its_own_manager_and_only_when_it_changed() {
    let (mut writer, mut requests) = server(vec![(200, ""), (200, "")]).await;
    for generation in [1, 1, 2, 2] {
        writer.want(status(generation), Duration::ZERO);
        writer.write().await;
    }
    let first = requests.recv().await.unwrap();
    assert!(
        first
            .line
            .starts_with("PATCH /apis/netdiag.dev/v1alpha1/nodenetreports/n/status?"),
        "{}",
        first.line
    );
    assert!(first.line.contains("force=true") && first.line.contains("fieldManager=netdiag-agent"));
    assert_eq!(first.content_type, "application/apply-patch+yaml");
    assert_eq!(
        first.body,
        json!({"apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
               "metadata": {"name": "n"}, "status": {"observedGeneration": 1}})
    );
    let second = requests.recv().await.unwrap();
    assert_eq!(second.body["status"]["observedGeneration"], 2);
    drop(writer);
    assert!(requests.try_recv().is_err(), "nothing else was written");
}

#[tokio::test]
async fn a_status_that_is_there_already_is_not_written() {
    let (mut writer, mut requests) = server(vec![(200, "")]).await;
    writer.found(Some(status(1)));
    writer.want(status(1), Duration::ZERO);
    assert!(writer.due.is_none());
    writer.write().await;
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn what_the_schema_refuses_is_written_in_short_and_tried_again_much_later() {
    let (mut writer, mut requests) = server(vec![(422, "too long"), (200, "")]).await;
    let mut wanted = status(1);
    wanted.agent = Some(Default::default());
    writer.want(wanted, Duration::ZERO);
    writer.write().await;
    assert!(requests.recv().await.unwrap().body["status"]["agent"].is_object());
    let least = requests.recv().await.unwrap().body;
    assert_eq!(least["status"], json!({"observedGeneration": 1}));
    let due = writer.due.unwrap() - Instant::now();
    assert!(due > LAST_RETRY && due <= RETRY_REFUSED, "{due:?}");
}

#[tokio::test]
async fn an_api_server_that_is_away_is_asked_again_by_the_timer_alone() {
    let (mut writer, mut requests) = server(vec![(500, "etcd is away"), (200, "")]).await;
    writer.want(status(1), Duration::ZERO);
    writer.write().await;
    let due = writer.due.unwrap();
    assert!(due > Instant::now());
    // A change while it is away waits for the same moment.
    writer.want(status(2), Duration::ZERO);
    assert_eq!(writer.due, Some(due));
    writer.due().await;
    writer.write().await;
    assert_eq!(
        requests.recv().await.unwrap().body["status"]["observedGeneration"],
        1
    );
    assert_eq!(
        requests.recv().await.unwrap().body["status"]["observedGeneration"],
        2
    );
    assert!(writer.due.is_none());
}

#[tokio::test]
async fn news_that_was_given_time_can_be_hurried_and_a_failing_write_cannot() {
    let (mut writer, _requests) = server(vec![(500, "etcd is away")]).await;
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
    let (mut writer, _requests) = server(vec![(404, "not found"), (200, "")]).await;
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
    let (mut writer, _requests) = server(vec![(500, "etcd is away"), (200, "")]).await;
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
    let (mut writer, _requests) = server(vec![(200, "")]).await;
    writer.want(status(1), Duration::ZERO);
    writer.write().await;
    writer.found(None);
    writer.want(status(1), Duration::ZERO);
    assert!(writer.due.is_some());
}

fn refusal(code: u16, message: &str) -> Refusal {
    Refusal::of(&kube::core::Status::failure(message, "").with_code(code))
}

#[test]
fn only_what_the_schema_refuses_is_written_in_short() {
    let unknown = "failed to create typed patch object (/n; netdiag.dev/v1alpha1, Kind=NodeNetReport): \
                   .status.x: field not declared in schema";
    assert!(matches!(refusal(500, unknown), Refusal::Schema(_)));
    assert!(matches!(refusal(422, "too long"), Refusal::Schema(_)));
    assert!(matches!(refusal(500, "etcd is away"), Refusal::Other(_)));
    assert!(matches!(refusal(403, "forbidden"), Refusal::Other(_)));
    assert!(matches!(refusal(404, "not found"), Refusal::Other(_)));
}
