//! One controller at a time: the holder of the Lease works, the others wait.
//!
//! A leader that cannot renew stops well before another may take over, and its process ends: the kubelet starts it anew
//! as one that waits. Should a frozen one thaw and still believe in its lease, each of its writes carries the version
//! that it was decided on, and the API server refuses it.
//!
//! The Lease is made at run time, by the controller that finds none: it needs no manifest, and it comes back when somebody deletes
//! it. Where a release of Helm is named, it has Helm's marks, so that an upgrade, whose manifest has the Lease, takes it
//! over.

mod decide;
mod object;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use netdiag_telemetry::health::{Health, Pulse};
use tokio::time;
use tracing::{debug, info, warn};

use crate::run::time::RunningTime;
use decide::{Claim, Sighting};
pub use object::Marks;

/// Name of the Lease.
const NAME: &str = "netdiag-controller";
/// Time for which a lease stands without being renewed.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops: the rest is for what is under way.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at the lease.
const RETRY: Duration = Duration::from_secs(2);

/// The state of the lease after an attempt to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// This process holds it.
    Ours,
    /// Another process holds it.
    Theirs,
    /// The API server gave no answer, or the lease changed meanwhile.
    Unknown,
}

/// Takes part in the election.
pub struct Election {
    client: Client,
    marks: Marks,
    leases: Api<Lease>,
    identity: String,
    health: Health,
    time: RunningTime,
    sighting: Sighting,
}

/// No name can be made up that no other process has.
#[derive(Debug, thiserror::Error)]
#[error("failed to make up an identity for the leader election")]
pub struct NoIdentity(#[source] io::Error);

impl Election {
    /// Takes part as a process that nobody else is, with a Lease that has these marks.
    ///
    /// # Errors
    /// When the kernel gives no random number.
    pub fn new(
        client: Client,
        marks: Marks,
        health: Health,
        time: RunningTime,
    ) -> Result<Self, NoIdentity> {
        let read = |path| fs::read_to_string(path).map_err(NoIdentity);
        // The host name is the pod's, for people; the rest tells a restarted process from the one before.
        let host = read("/proc/sys/kernel/hostname")?;
        let random = read("/proc/sys/kernel/random/uuid")?;
        Ok(Self {
            leases: Api::namespaced(client.clone(), marks.namespace()),
            client,
            marks,
            identity: format!("{}_{}", host.trim(), random.trim()),
            health,
            time,
            sighting: Sighting::default(),
        })
    }

    /// Waits until the lease is ours.
    pub async fn win(&mut self, pulse: &Pulse) {
        info!(identity = self.identity, "Waiting for the lease");
        while self.attempt().await != Held::Ours {
            pulse.beat();
            time::sleep(RETRY).await;
        }
        info!("Leading");
    }

    /// Renews the lease; returns when it is lost.
    pub async fn keep(&mut self, pulse: &Pulse) {
        let mut renewed = Instant::now();
        loop {
            time::sleep(RETRY).await;
            pulse.beat();
            let tried = Instant::now();
            // An API server that does not answer must not make us late for our own deadline.
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            let held = time::timeout(left, self.attempt()).await;
            match held {
                Ok(Held::Ours) => renewed = tried,
                Ok(Held::Theirs) => {
                    warn!("Lease lost to another replica");
                    return;
                }
                _ if renewed.elapsed() >= RENEW_DEADLINE => {
                    warn!("Lease lost");
                    return;
                }
                // No answer: the deadline decides.
                Ok(Held::Unknown) | Err(_) => {}
            }
        }
    }

    /// Gives the lease up, so that another need not wait until it runs out.
    pub async fn resign(&mut self) {
        let given_up = async {
            let Some(mut lease) = self.leases.get_opt(NAME).await? else {
                return Ok(());
            };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&self.identity) {
                spec.holder_identity = None;
                self.leases
                    .replace(NAME, &PostParams::default(), &lease)
                    .await?;
            }
            Ok::<(), kube::Error>(())
        };
        match time::timeout(RETRY, given_up).await {
            Ok(Ok(())) => info!("Lease given up"),
            Ok(Err(error)) => warn!(
                error = &error as &dyn std::error::Error,
                "Lease not given up"
            ),
            Err(_) => warn!("Lease not given up in time"),
        }
    }

    /// Looks at the lease and takes or renews it if it is ours to hold; the state after that.
    async fn attempt(&mut self) -> Held {
        match self.claim().await {
            Ok(held) => {
                self.time.answered();
                self.health.has("lease");
                held
            }
            // Another was faster; the next look tells who.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.time.answered();
                debug!("Lease changed meanwhile");
                Held::Unknown
            }
            Err(error) => {
                self.health
                    .lacks("lease", "the API server did not give it; the log says why");
                warn!(
                    error = &error as &dyn std::error::Error,
                    "Lease not reachable"
                );
                Held::Unknown
            }
        }
    }

    async fn claim(&mut self) -> Result<Held, kube::Error> {
        let lease = self.leases.get_opt(NAME).await?;
        let now = Instant::now();
        // A Lease without a spec is nobody's: Helm makes it so.
        let spec = lease
            .as_ref()
            .map(|lease| lease.spec.clone().unwrap_or_default());
        self.sighting.see(spec.as_ref(), now);
        let spec = match self.sighting.claim(&self.identity, now) {
            Claim::Wait => return Ok(Held::Theirs),
            Claim::Take => self.taken(spec.as_ref()),
            Claim::Renew => self.renewed(spec.as_ref()),
        };
        let parameters = PostParams::default();
        let stored = match lease {
            // The version that was read goes along, so of two that try at once one gets a conflict.
            Some(mut lease) => {
                lease.spec = Some(spec);
                self.marks.set(&mut lease);
                self.leases.replace(NAME, &parameters, &lease).await?
            }
            None => {
                let lease = self.marks.new_lease(&self.client, spec).await;
                let made = self.leases.create(&parameters, &lease).await?;
                info!("Lease made");
                made
            }
        };
        // Should it be deleted before the next look, it is known to be ours.
        self.sighting.see(stored.spec.as_ref(), Instant::now());
        Ok(Held::Ours)
    }

    fn renewed(&self, spec: Option<&LeaseSpec>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..spec.cloned().unwrap_or_default()
        }
    }

    fn taken(&self, spec: Option<&LeaseSpec>) -> LeaseSpec {
        let changes = spec.and_then(|spec| spec.lease_transitions);
        LeaseSpec {
            acquire_time: Some(MicroTime(Timestamp::now())),
            lease_transitions: Some(changes.map_or(0, |changes| changes.saturating_add(1))),
            ..self.renewed(spec)
        }
    }
}
