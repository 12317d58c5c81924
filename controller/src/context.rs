//! The means of every pass besides its object.

use std::sync::Arc;

use kube::{
    Client,
    runtime::events::{Recorder, Reporter},
};

use crate::{
    coverage::Agents,
    metrics::Metrics,
    older::OlderSchema,
    pace::Paces,
    retry::Failures,
    run::{moment::Moments, time::RunningTime},
    stores::Stores,
};

/// One controller's means.
pub struct Context {
    /// To write with.
    pub client: Client,
    /// To read from.
    pub stores: Stores,
    /// To know where agents can be.
    pub agents: Agents,
    /// Failures in a row of its own objects.
    pub failures: Failures,
    /// To look at the same object and write it only so often.
    pub paces: Paces,
    /// The fields that the CRD of the objects that it writes lacks.
    pub older: OlderSchema,
    /// To know how long each run has been going on.
    pub moments: Arc<Moments>,
    /// To make Events with.
    pub recorder: Recorder,
    /// To count passes with.
    pub metrics: Metrics,
}

impl Context {
    /// The means of a controller that has not failed yet.
    pub fn new(
        client: &Client,
        stores: &Stores,
        agents: &Agents,
        moments: &Arc<Moments>,
        time: &RunningTime,
        metrics: &Metrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            client: client.clone(),
            stores: stores.clone(),
            agents: agents.clone(),
            failures: Failures::default(),
            paces: Paces::default(),
            older: OlderSchema::new(time.clone()),
            moments: Arc::clone(moments),
            recorder: Recorder::new(client.clone(), Reporter::from("netdiag-controller")),
            metrics: metrics.clone(),
        })
    }
}
