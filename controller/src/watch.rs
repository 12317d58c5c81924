//! One watch of one kind: fills its cache and says what has changed.

use std::{fmt::Debug, hash::Hash, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Client, Resource,
    core::DeserializeGuard,
    runtime::{reflector::store::Writer, watcher::Event},
};
use netdiag_client::watch::{Step, watch};
use netdiag_telemetry::health::Health;
use serde::de::DeserializeOwned;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::run::time::RunningTime;

/// Longer than a step of a watch can take: a deaf one ends after 75 s, a wait after 60 s, a request after 30 s.
const HANGS_AFTER: Duration = Duration::from_secs(240);

/// One watch: fills a cache and reports changes.
pub struct Watch<'a, K: Resource + Clone + 'static>
where
    K::DynamicType: Eq + Hash + Clone,
{
    /// Its name for health.
    pub name: &'static str,
    /// To watch with.
    pub client: &'a Client,
    /// Stands while the watch is interrupted.
    pub time: &'a RunningTime,
    /// Learns whether the watch goes on.
    pub health: &'a Health,
    /// The cache to fill.
    pub writer: Writer<K>,
    /// Takes out of an object what the cache need not hold.
    pub tidy: fn(&mut K),
}

impl<K> Watch<'_, K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Runs until shutdown. `changed` gets the object, or `None` after a new listing, when any may have changed.
    pub fn spawn(
        self,
        tracker: &TaskTracker,
        shutdown: &CancellationToken,
        mut changed: impl FnMut(Option<&K>) + Send + 'static,
    ) {
        let Self {
            name,
            client,
            time,
            health,
            mut writer,
            tidy,
        } = self;
        let time = time.clone();
        let pulse = health.watch(name, HANGS_AFTER);
        let api = Api::<DeserializeGuard<K>>::all(client.clone());
        let steps = watch(api, None).take_until(shutdown.clone().cancelled_owned());
        tracker.spawn(async move {
            let mut steps = pin!(steps);
            while let Some(step) = steps.next().await {
                pulse.beat();
                let event = match step {
                    Step::Event(event) => event,
                    Step::Served => {
                        time.served(name);
                        continue;
                    }
                    Step::Interrupted(error) => {
                        time.interrupted(name);
                        warn!(kind = %K::kind(&()), error = &error as &dyn std::error::Error, "Watch interrupted, begins anew");
                        continue;
                    }
                };
                let Some(event) = decoded(event, tidy) else { continue };
                writer.apply_watcher_event(&event);
                match &event {
                    Event::Apply(object) | Event::Delete(object) => changed(Some(object)),
                    Event::InitDone => changed(None),
                    Event::Init | Event::InitApply(_) => {}
                }
            }
            debug!(kind = %K::kind(&()), "Watch ended");
        });
    }
}

/// The event with its object decoded. An object that cannot be decoded is left out, so that it does not stop the watch:
/// the cache keeps the last version that could.
fn decoded<K: Resource<DynamicType = ()>>(
    event: Event<DeserializeGuard<K>>,
    tidy: fn(&mut K),
) -> Option<Event<K>> {
    let open = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(mut object) => {
            tidy(&mut object);
            Some(object)
        }
        Err(error) => {
            let name = error.metadata.name.clone().unwrap_or_default();
            warn!(kind = %K::kind(&()), object = name, error = &error as &dyn std::error::Error, "Object ignored, it cannot be decoded");
            None
        }
    };
    Some(match event {
        Event::Apply(guard) => Event::Apply(open(guard)?),
        Event::Delete(guard) => Event::Delete(open(guard)?),
        Event::InitApply(guard) => Event::InitApply(open(guard)?),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    })
}

#[cfg(test)]
mod tests {
    use netdiag_crds::NodeNetDiagnosis;
    use serde_json::json;

    use super::*;

    fn event(spec: &serde_json::Value) -> Event<DeserializeGuard<NodeNetDiagnosis>> {
        let object = json!({
            "apiVersion": "netdiag.dev/v1alpha1",
            "kind": "NodeNetDiagnosis",
            "metadata": {"name": "x"},
            "spec": spec,
        });
        Event::Apply(
            serde_json::from_value(object).expect("the guard takes anything with metadata"),
        )
    }

    #[test]
    fn an_object_that_cannot_be_decoded_is_left_out() {
        let good = decoded(event(&json!({"nodes": {"all": true}})), |_| {});
        assert!(matches!(good, Some(Event::Apply(_))));
        let bad = decoded(event(&json!({"nodes": "all of them"})), |_| {});
        assert!(bad.is_none());
    }
}
