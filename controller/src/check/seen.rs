//! The objects of an installation.
//!
//! # Permissions
//!
//! The chart's `templates/tests/access.yaml` grants exactly these, each to read.

use std::fmt::Debug;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{Namespace, Node, Pod},
};
use kube::{Api, Client, Resource, api::ListParams};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport};
use serde::de::DeserializeOwned;

use crate::{cli::CheckArgs, stores};

/// Objects asked for at a time: a report may have a megabyte.
const PAGE: u32 = 50;

/// The objects that were read, or the reason why they could not be.
pub type Read<T> = Result<T, LookError>;

/// Why something could not be read: the API server's answer, or why there is none.
#[derive(Debug, thiserror::Error)]
#[error("{}", message(.source))]
pub struct LookError {
    source: kube::Error,
}

impl From<kube::Error> for LookError {
    fn from(source: kube::Error) -> Self {
        Self { source }
    }
}

fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// An installation as it was seen.
pub struct Seen {
    /// The release's namespace.
    pub namespace: Read<Option<Namespace>>,
    /// The controller.
    pub controller: Read<Option<Deployment>>,
    /// The agents.
    pub agents: Read<Option<DaemonSet>>,
    /// The agents' pods.
    pub pods: Read<Vec<Pod>>,
    /// All nodes.
    pub nodes: Read<Vec<Node>>,
    /// All reports, without results; nothing where the API server does not know the kind.
    pub reports: Read<Option<Vec<NodeNetReport>>>,
    /// True where the API server knows diagnoses.
    pub diagnoses: Read<Option<()>>,
}

impl Seen {
    /// Looks once.
    pub async fn look(client: &Client, args: &CheckArgs) -> Self {
        let namespace = &args.namespace;
        let agents = Api::namespaced(client.clone(), namespace)
            .get_opt(&args.agents)
            .await
            .map_err(LookError::from);
        let pods = match &agents {
            Ok(Some(agents)) => pods(client, namespace, agents).await,
            _ => Ok(Vec::new()),
        };
        let one = ListParams::default().limit(1);
        let diagnoses = Api::<NodeNetDiagnosis>::all(client.clone());
        Self {
            namespace: Api::all(client.clone())
                .get_opt(namespace)
                .await
                .map_err(LookError::from),
            controller: Api::namespaced(client.clone(), namespace)
                .get_opt(&args.controller)
                .await
                .map_err(LookError::from),
            agents,
            pods,
            nodes: all(
                Api::all(client.clone()),
                ListParams::default(),
                stores::shrink_node,
            )
            .await
            .map_err(LookError::from),
            reports: served(
                all(
                    Api::all(client.clone()),
                    ListParams::default(),
                    shrink_report,
                )
                .await,
            ),
            diagnoses: served(diagnoses.list_metadata(&one).await.map(drop)),
        }
    }
}

async fn pods(client: &Client, namespace: &str, agents: &DaemonSet) -> Read<Vec<Pod>> {
    let labels = agents
        .spec
        .iter()
        .flat_map(|spec| spec.selector.match_labels.iter().flatten());
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let ours = ListParams::default().labels(&labels.join(","));
    let api = Api::namespaced(client.clone(), namespace);
    all(api, ours, shrink_pod).await.map_err(LookError::from)
}

/// All objects of a kind, page by page, each without what `tidy` takes away.
async fn all<K>(api: Api<K>, which: ListParams, tidy: fn(&mut K)) -> Result<Vec<K>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut objects = Vec::new();
    let mut page = which.limit(PAGE);
    loop {
        let list = api.list(&page).await?;
        let more = list.metadata.continue_;
        objects.extend(list.items.into_iter().map(|mut object| {
            tidy(&mut object);
            object
        }));
        match more.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(objects),
        }
    }
}

fn shrink_pod(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
}

/// The findings of a report do not matter here, and are most of it.
fn shrink_report(report: &mut NodeNetReport) {
    report.metadata.managed_fields = None;
    if let Some(status) = &mut report.status {
        status.results = Vec::new();
    }
}

/// Nothing where the API server does not know the kind.
fn served<T>(list: Result<T, kube::Error>) -> Read<Option<T>> {
    match list {
        Ok(list) => Ok(Some(list)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}
