//! One controller at a time: whoever holds the Lease works, the others wait.
//!
//! A leader that cannot renew stops well before another may take over, and its process ends: the kubelet starts it anew
//! as one that waits. Should a frozen one thaw and still believe in its lease, each of its writes carries the version
//! that it was decided on, and the API server refuses it.

mod decide;

use std::{
    fs, io,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use netdiag_telemetry::health::{Health, Pulse};
use tokio::time;
use tracing::{debug, info, warn};

use crate::run::time::RunningTime;
use decide::{Claim, Sighting};

/// Name of the Lease.
const NAME: &str = "netdiag-controller";
/// How long a lease stands without being renewed.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops: the rest is for what is under way.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at the lease.
const RETRY: Duration = Duration::from_secs(2);

/// Takes part in the election.
pub struct Election {
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
    /// Takes part as a process that nobody else is, in a namespace of the cluster.
    ///
    /// # Errors
    /// When the kernel gives no random number.
    pub fn new(
        client: Client,
        namespace: &str,
        health: Health,
        time: RunningTime,
    ) -> Result<Self, NoIdentity> {
        let read = |path| fs::read_to_string(path).map_err(NoIdentity);
        // The host name is the pod's, for people; the rest tells a restarted process from the one before.
        let host = read("/proc/sys/kernel/hostname")?;
        let random = read("/proc/sys/kernel/random/uuid")?;
        Ok(Self {
            leases: Api::namespaced(client, namespace),
            identity: format!("{}_{}", host.trim(), random.trim()),
            health,
            time,
            sighting: Sighting::default(),
        })
    }

    /// Waits until the lease is ours.
    pub async fn win(&mut self, pulse: &Pulse) {
        info!(identity = self.identity, "Waiting for the lease");
        while !self.attempt().await {
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
                Ok(true) => renewed = tried,
                _ if renewed.elapsed() >= RENEW_DEADLINE => {
                    warn!("Lease lost");
                    return;
                }
                // Somebody else's, or no answer: the deadline decides.
                Ok(false) | Err(_) => {}
            }
        }
    }

    /// Gives the lease up, so that another need not wait until it runs out.
    pub async fn resign(&mut self) {
        let given_up = async {
            let mut lease = self.leases.get(NAME).await?;
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

    /// Looks at the lease and takes or renews it if it is ours to hold; whether we hold it now.
    async fn attempt(&mut self) -> bool {
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
                false
            }
            Err(error) => {
                self.health.lacks("lease", error.to_string());
                warn!(
                    error = &error as &dyn std::error::Error,
                    "Lease not reachable"
                );
                false
            }
        }
    }

    async fn claim(&mut self) -> Result<bool, kube::Error> {
        let lease = self.leases.get_opt(NAME).await?;
        let now = Instant::now();
        let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
        self.sighting.see(spec, now);
        let spec = match self.sighting.claim(&self.identity, now) {
            Claim::Wait => return Ok(false),
            Claim::Take => self.taken(spec),
            Claim::Renew => self.renewed(spec),
        };
        let parameters = PostParams::default();
        match lease {
            // The version that was read goes along, so of two that try at once one gets a conflict.
            Some(lease) => {
                let lease = Lease {
                    spec: Some(spec),
                    ..lease
                };
                self.leases.replace(NAME, &parameters, &lease).await?;
            }
            None => {
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(NAME.to_owned()),
                        ..ObjectMeta::default()
                    },
                    spec: Some(spec),
                };
                self.leases.create(&parameters, &lease).await?;
            }
        }
        Ok(true)
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
