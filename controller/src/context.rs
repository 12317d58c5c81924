//! What every pass needs besides its object.

use std::sync::Arc;

use kube::Client;

use crate::{retry::Failures, stores::Stores};

/// One controller's means.
pub struct Context {
    /// To write with.
    pub client: Client,
    /// To read from.
    pub stores: Stores,
    /// Failures in a row of its own objects.
    pub failures: Failures,
}

impl Context {
    /// The means of a controller that has not failed yet.
    pub fn new(client: &Client, stores: &Stores) -> Arc<Self> {
        Arc::new(Self {
            client: client.clone(),
            stores: stores.clone(),
            failures: Failures::default(),
        })
    }
}
