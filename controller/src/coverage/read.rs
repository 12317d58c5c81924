//! Reads the agents' DaemonSet when a run begins. It is not watched: that would need a permission for all of them.

use std::{sync::Arc, time::Instant};

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::{Api, Client};
use tokio::sync::Mutex;
use tracing::warn;

use super::{Coverage, placement::Placement};
use crate::pace::RESYNC;

/// The agents' DaemonSet, and what is known of it. Clones share that.
#[derive(Clone, Debug)]
pub struct Agents(Option<Arc<Named>>);

#[derive(Debug)]
struct Named {
    api: Api<DaemonSet>,
    name: String,
    known: Mutex<Option<(Instant, Arc<Coverage>)>>,
}

impl Agents {
    /// No DaemonSet is named: every Linux node can have an agent.
    pub fn anywhere() -> Self {
        Self(None)
    }

    /// The agents of a DaemonSet.
    pub fn of(client: &Client, namespace: &str, name: &str) -> Self {
        Self(Some(Arc::new(Named {
            api: Api::namespaced(client.clone(), namespace),
            name: name.to_owned(),
            known: Mutex::default(),
        })))
    }

    /// The nodes where an agent can be, for a run that begins now.
    ///
    /// # Errors
    /// When the API server gives no answer that would count for the whole run.
    pub async fn read(&self) -> Result<Arc<Coverage>, kube::Error> {
        self.since(None).await
    }

    /// The same for a run that goes on: as it was read within [`RESYNC`], or last, where it cannot be read now.
    ///
    /// # Errors
    /// When it was never read.
    pub async fn known(&self) -> Result<Arc<Coverage>, kube::Error> {
        self.since(Instant::now().checked_sub(RESYNC)).await
    }

    /// As it was at `oldest` or later; `None` is now.
    async fn since(&self, oldest: Option<Instant>) -> Result<Arc<Coverage>, kube::Error> {
        let Some(named) = &self.0 else {
            return Ok(Arc::default());
        };
        // A caller that comes while it is being read waits for that.
        let mut known = named.known.lock().await;
        if let (Some((at, coverage)), Some(oldest)) = (&*known, oldest)
            && *at >= oldest
        {
            return Ok(Arc::clone(coverage));
        }
        let read = named.api.get_opt(&named.name).await;
        let coverage = match (read, &*known) {
            (Ok(Some(daemon_set)), _) => Coverage {
                rules: Some(Placement::of(&daemon_set)),
                unread: None,
            },
            (Ok(None), _) => named.unread("not found"),
            (Err(kube::Error::Api(refused)), _) if refused.code == 403 => {
                named.unread(&refused.message)
            }
            (Err(_), Some((_, last))) if oldest.is_some() => return Ok(Arc::clone(last)),
            (Err(error), _) => return Err(error),
        };
        let coverage = Arc::new(coverage);
        *known = Some((Instant::now(), Arc::clone(&coverage)));
        Ok(coverage)
    }
}

impl Named {
    fn unread(&self, why: &str) -> Coverage {
        let unread = format!("the DaemonSet {} could not be read: {why}", self.name);
        warn!(%unread, "Every Linux node counts as one with an agent");
        Coverage {
            rules: None,
            unread: Some(unread),
        }
    }
}
