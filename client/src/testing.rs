//! An API server for tests: it keeps objects in memory, answers as the real one does as far as both programs need it,
//! writes down every request, and makes the faults that a test asks for.

mod connections;
mod objects;
mod request;
mod schema;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::connections::State;
pub use self::request::Request;
use crate::{bounded::Deadlines, connect};

/// The collection of NodeNetReports.
pub const REPORTS: &str = "/apis/netdiag.dev/v1alpha1/nodenetreports";
/// The collection of NodeNetDiagnoses.
pub const DIAGNOSES: &str = "/apis/netdiag.dev/v1alpha1/nodenetdiagnoses";
/// The collection of Nodes.
pub const NODES: &str = "/api/v1/nodes";
/// The collection of Leases of the namespace `netdiag-system`.
pub const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/netdiag-system/leases";
/// Every client's account and its uid, as a SelfSubjectReview tells them.
pub const ACCOUNT: (&str, &str) = (
    "system:serviceaccount:netdiag-system:netdiag-controller",
    "uid-of-account",
);

/// A fault that the server makes instead of its work.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Refuses with this status, in plain text as API priority and fairness does.
    Refuse {
        /// The status.
        code: u16,
        /// The seconds of `Retry-After`.
        retry_after: Option<u32>,
    },
    /// Reads the request and never answers.
    NoAnswer,
    /// Begins a watch and ends it at once.
    EndWatch,
    /// Begins a watch and never sends anything, as behind a connection that is half open.
    DeafWatch,
}

/// A running server. Clones share it.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

impl Server {
    /// Serves on a free port of the loopback device, until the runtime ends.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start() -> io::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Self {
            address: listener.local_addr()?,
            state: Arc::new(State {
                objects: Mutex::default(),
                requests: Mutex::default(),
                faults: Mutex::new(Box::new(|_| None)),
                deaf: Mutex::default(),
                forgets: AtomicBool::new(false),
                sent: AtomicU64::new(0),
            }),
        };
        let state = Arc::clone(&server.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                // A client that goes away is no fault.
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Ok(server)
    }

    /// A client of this server.
    ///
    /// # Errors
    /// If the client cannot be built.
    pub fn client(&self, deadlines: Deadlines) -> Result<Client, connect::Error> {
        let url = http::Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query("/");
        let config = Config::new(url.build().unwrap_or_default());
        connect::client_within(config, deadlines)
    }

    /// From now on makes the faults that this says of each request.
    pub fn fault(&self, faults: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        *locked(&self.state.faults) = Box::new(faults);
    }

    /// From now on the watches of a collection bring nothing, those that are open too.
    pub fn deafen(&self, collection: &str) {
        locked(&self.state.deaf).insert(collection.to_owned());
    }

    /// From now on refuses a write that does not fit this schema of a collection (`openAPIV3Schema`).
    pub fn declare(&self, collection: &str, schema: Value) {
        let mut objects = locked(&self.state.objects);
        objects.schemas.insert(collection.to_owned(), schema);
    }

    /// The kubeconfig of a program that is to speak to this server.
    pub fn kubeconfig(&self) -> String {
        let server = format!("http://{}", self.address);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        config.to_string()
    }

    /// From now on requests are shown to the faults and not written down.
    pub fn forget_requests(&self) {
        self.state.forgets.store(true, Ordering::Relaxed);
    }

    /// Bytes of all answers and events so far.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.state.requests).clone()
    }

    /// Stores an object as it is, as somebody else would.
    pub fn put(&self, collection: &str, name: &str, object: Value) {
        locked(&self.state.objects).store(collection, name, object);
    }

    /// Changes an object in place, as somebody else would; nothing happens where it is not there.
    pub fn edit(&self, collection: &str, name: &str, change: impl FnOnce(&mut Value)) {
        locked(&self.state.objects).edit(collection, name, change);
    }

    /// Names of the objects of a collection.
    pub fn names(&self, collection: &str) -> Vec<String> {
        locked(&self.state.objects).names(collection)
    }

    /// Deletes an object.
    pub fn delete(&self, collection: &str, name: &str) {
        locked(&self.state.objects).delete(collection, name);
    }

    /// An object as it is now.
    pub fn get(&self, collection: &str, name: &str) -> Option<Value> {
        locked(&self.state.objects).get(collection, name).cloned()
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
