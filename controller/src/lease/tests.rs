//! The election against an API server in memory.

use std::time::Duration;

use netdiag_client::{
    bounded::Deadlines,
    testing::{ACCOUNT, LEASES, Server},
};
use netdiag_telemetry::health::Health;
use serde_json::{Value, json};

use super::{Election, Held, Marks, NAME};
use crate::run::time::RunningTime;

/// The namespace of [`LEASES`] and of the account.
const NAMESPACE: &str = "netdiag-system";

fn replica(server: &Server) -> Election {
    replica_of(server, None)
}

/// A replica of a release of Helm.
fn replica_of(server: &Server, release: Option<&str>) -> Election {
    let deadlines = Deadlines {
        read: Duration::from_secs(30),
        write: Duration::from_secs(10),
    };
    let client = server.client(deadlines).expect("plain HTTP");
    let marks = Marks::new(NAMESPACE, release);
    Election::new(client, marks, Health::default(), RunningTime::start()).expect("random numbers")
}

fn lease(server: &Server) -> Value {
    server.get(LEASES, NAME).expect("a lease")
}

#[tokio::test]
async fn who_finds_no_lease_makes_it_as_its_account_s() {
    let server = Server::start().await.expect("a free port");
    let mut first = replica(&server);
    let mut second = replica(&server);
    assert_eq!(first.attempt().await, Held::Ours);
    assert_eq!(second.attempt().await, Held::Theirs);
    let made = lease(&server);
    assert_eq!(made["spec"]["holderIdentity"], first.identity);
    let owners = &made["metadata"]["ownerReferences"];
    assert_eq!(owners[0]["kind"], "ServiceAccount", "{made:#}");
    assert_eq!(owners[0]["uid"], ACCOUNT.1);
    assert_eq!(
        made["metadata"]["labels"]["app.kubernetes.io/name"],
        "netdiag"
    );
}

#[tokio::test]
async fn the_lease_of_an_older_chart_is_used_as_it_is() {
    let server = Server::start().await.expect("a free port");
    let helm = json!({"name": NAME, "labels": {"app.kubernetes.io/managed-by": "Helm"}});
    let old = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": helm});
    server.put(LEASES, NAME, old);
    let mut replica = replica(&server);
    assert_eq!(replica.attempt().await, Held::Ours);
    let used = lease(&server);
    assert_eq!(used["spec"]["holderIdentity"], replica.identity);
    let labels = &used["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm");
    assert!(used["metadata"]["ownerReferences"].is_null(), "{used:#}");
}

#[tokio::test]
async fn a_lease_has_the_marks_by_which_helm_takes_it_over_and_gets_them_where_they_lack() {
    let server = Server::start().await.expect("a free port");
    assert_eq!(replica(&server).attempt().await, Held::Ours);
    let unmarked = lease(&server);
    assert!(unmarked["metadata"]["annotations"].is_null());
    let manager = "app.kubernetes.io/managed-by";
    assert_eq!(
        unmarked["metadata"]["labels"][manager],
        "netdiag-controller"
    );
    let marks = |lease: &Value| {
        let metadata = &lease["metadata"];
        let release = |what: &str| metadata["annotations"][what].clone();
        [
            metadata["labels"][manager].clone(),
            release("meta.helm.sh/release-name"),
            release("meta.helm.sh/release-namespace"),
        ]
    };
    // Another's, who gave it up.
    server.edit(LEASES, NAME, |lease| {
        lease["spec"]["holderIdentity"] = Value::Null;
    });
    let mut adopter = replica_of(&server, Some("mine"));
    assert_eq!(adopter.attempt().await, Held::Ours);
    assert_eq!(marks(&lease(&server)), ["Helm", "mine", NAMESPACE]);
    server.delete(LEASES, NAME);
    assert_eq!(adopter.attempt().await, Held::Ours);
    assert_eq!(marks(&lease(&server)), ["Helm", "mine", NAMESPACE]);
    assert_eq!(
        lease(&server)["metadata"]["ownerReferences"][0]["uid"],
        ACCOUNT.1
    );
}

#[tokio::test]
async fn a_deleted_lease_comes_back_from_its_holder_and_changes_no_hands() {
    let server = Server::start().await.expect("a free port");
    let mut first = replica(&server);
    let mut second = replica(&server);
    assert_eq!(first.attempt().await, Held::Ours);
    assert_eq!(second.attempt().await, Held::Theirs);
    server.delete(LEASES, NAME);
    assert_eq!(second.attempt().await, Held::Theirs);
    assert!(
        server.get(LEASES, NAME).is_none(),
        "not the second's to make"
    );
    assert_eq!(first.attempt().await, Held::Ours);
    assert_eq!(lease(&server)["spec"]["holderIdentity"], first.identity);

    // Given up, and then deleted: nobody's.
    first.resign().await;
    assert_eq!(lease(&server)["spec"]["holderIdentity"], Value::Null);
    assert_eq!(second.attempt().await, Held::Ours);
}

#[tokio::test]
async fn of_two_that_take_it_at_once_one_has_it() {
    let server = Server::start().await.expect("a free port");
    let mut first = replica(&server);
    let mut second = replica(&server);
    let both = tokio::join!(first.attempt(), second.attempt());
    let ours = [both.0, both.1].map(|held| held == Held::Ours);
    assert_eq!(ours.iter().filter(|ours| **ours).count(), 1, "{both:?}");
}

#[tokio::test]
async fn a_leader_whose_lease_another_took_stops_at_once() {
    let server = Server::start().await.expect("a free port");
    let mut leader = replica(&server);
    assert_eq!(leader.attempt().await, Held::Ours);
    server.edit(LEASES, NAME, |lease| {
        lease["spec"]["holderIdentity"] = json!("another");
    });
    let pulse = Health::default().watch("lease", Duration::from_secs(60));
    // One look of two seconds, not the ten of a leader that hears nothing.
    tokio::time::timeout(Duration::from_secs(8), leader.keep(&pulse))
        .await
        .expect("the leader stops");
}
