use std::pin::pin;

use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use super::*;
use crate::{
    bounded::Deadlines,
    testing::{Fault, NODES, Server},
};

const PATIENCE: Duration = Duration::from_secs(60);

fn node(name: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
}

/// The name of a step, for comparison.
fn told(step: &Step<Node>) -> String {
    match step {
        Step::Event(Event::Init) => "init".to_owned(),
        Step::Event(Event::InitApply(node)) => format!("has {}", node.name_any()),
        Step::Event(Event::InitDone) => "listed".to_owned(),
        Step::Event(Event::Apply(node)) => format!("apply {}", node.name_any()),
        Step::Event(Event::Delete(node)) => format!("delete {}", node.name_any()),
        Step::Served => "served".to_owned(),
        Step::Interrupted(error) => error.to_string(),
    }
}

async fn server() -> Server {
    let server = Server::start().await.unwrap();
    server.put(NODES, "a", node("a"));
    server
}

fn watched(server: &Server, idle: Duration) -> impl Stream<Item = Step<Node>> + use<> {
    let client = server.client(Deadlines::default()).unwrap();
    watch_idle(Api::all(client), Some("metadata.name=a".to_owned()), idle)
}

/// The next so many steps.
async fn steps(stream: &mut (impl Stream<Item = Step<Node>> + Unpin), count: usize) -> Vec<String> {
    let mut steps = Vec::new();
    while steps.len() < count {
        let step = timeout(PATIENCE, stream.next()).await;
        steps.push(told(&step.expect("a step in time").expect("it never ends")));
    }
    steps
}

#[tokio::test]
async fn the_objects_are_listed_and_then_their_changes_come() {
    let server = server().await;
    server.put(NODES, "b", node("b"));
    let mut stream = pin!(watched(&server, PATIENCE));
    let begin = ["init", "has a", "listed", "served"];
    assert_eq!(steps(&mut stream, 4).await, begin);
    server.edit(NODES, "a", |node| node["spec"] = json!({}));
    server.delete(NODES, "a");
    let requests = server.requests();
    assert!(
        requests[0]
            .query
            .contains("fieldSelector=metadata.name%3Da")
    );
    assert!(requests[1].query.contains("allowWatchBookmarks=true"));
    assert_eq!(steps(&mut stream, 2).await, ["apply a", "delete a"]);
}

#[tokio::test]
async fn a_deaf_watch_is_noticed_and_the_next_one_goes_on_where_it_was() {
    let server = server().await;
    server.fault(|request| request.is_watch().then_some(Fault::DeafWatch));
    let mut stream = pin!(watched(&server, Duration::from_millis(300)));
    steps(&mut stream, 4).await;
    server.edit(NODES, "a", |node| node["spec"] = json!({}));
    server.fault(|_| None);
    assert_eq!(
        steps(&mut stream, 3).await,
        [
            "the watch brought neither event nor bookmark in 300ms",
            "served",
            "apply a"
        ]
    );
}

#[tokio::test]
async fn a_watch_that_ends_at_once_is_interrupted_and_not_served_by_that() {
    let server = server().await;
    server.fault(|request| request.is_watch().then_some(Fault::EndWatch));
    let mut stream = pin!(watched(&server, PATIENCE));
    steps(&mut stream, 4).await;
    let again = steps(&mut stream, 4).await;
    let ended = "the API server ended the watch at once";
    assert_eq!(again, [ended, "served", ended, "served"]);
    let requests = server.requests();
    let watches: Vec<_> = requests
        .iter()
        .filter(|request| request.is_watch())
        .collect();
    let pauses: Vec<_> = watches
        .windows(2)
        .map(|two| two[1].at - two[0].at)
        .collect();
    // kube's first wait, with its jitter.
    assert!(
        pauses
            .iter()
            .all(|pause| *pause >= Duration::from_millis(700)),
        "{pauses:?}"
    );
}

#[tokio::test]
async fn a_version_that_is_gone_is_listed_anew() {
    let server = server().await;
    let mut refusals = 1;
    server.fault(move |request| {
        let refuses = request.is_watch() && refusals > 0;
        refusals -= i32::from(refuses);
        refuses.then_some(Fault::Refuse {
            code: 410,
            retry_after: None,
        })
    });
    let mut stream = pin!(watched(&server, PATIENCE));
    let all = steps(&mut stream, 8).await;
    assert_eq!(all[3], "failed to start the watch");
    assert_eq!(all[4..], ["init", "has a", "listed", "served"]);
}

#[tokio::test]
async fn a_refused_watch_waits_as_long_as_it_is_told() {
    let server = server().await;
    let mut refusals = 1;
    server.fault(move |request| {
        let refuses = request.is_watch() && refusals > 0;
        refusals -= i32::from(refuses);
        refuses.then_some(Fault::Refuse {
            code: 429,
            retry_after: Some(4),
        })
    });
    let mut stream = pin!(watched(&server, PATIENCE));
    assert_eq!(steps(&mut stream, 5).await[4], "served");
    let requests = server.requests();
    let watches: Vec<_> = requests
        .iter()
        .filter(|request| request.is_watch())
        .collect();
    let pause = watches[1].at - watches[0].at;
    assert!(pause >= Duration::from_secs(4), "{pause:?}");
}

#[tokio::test]
async fn a_request_that_is_never_answered_ends() {
    let server = server().await;
    server.fault(|_| Some(Fault::NoAnswer));
    let deadlines = Deadlines {
        read: Duration::from_millis(200),
        write: Duration::from_millis(200),
    };
    let nodes = Api::<Node>::all(server.client(deadlines).unwrap());
    let read = nodes.get("a").await.unwrap_err();
    let written = nodes.delete("a", &Default::default()).await.unwrap_err();
    let watched = nodes.watch(&WatchParams::default(), "0").await;
    for error in [read, written, watched.err().unwrap()] {
        let text = format!("{error:?}");
        assert!(text.contains("NoAnswer"), "{text}");
    }
}
