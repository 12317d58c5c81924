//! An API server for tests: it keeps objects in memory, answers as the real one does as far as both programs need it,
//! writes down every request, and makes the faults that a test asks for.

mod schema;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

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

/// A request as the server read it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `PATCH`, ..
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The text after the question mark.
    pub query: String,
    /// `Content-Type`.
    pub content_type: String,
    /// The body; null where there is none.
    pub body: Value,
    /// Bytes of the body.
    pub bytes: usize,
    /// The moment of its arrival.
    pub at: Instant,
}

impl Request {
    /// True for a watch.
    pub fn is_watch(&self) -> bool {
        self.query.split('&').any(|pair| pair == "watch=true")
    }

    /// True for a write of an object of this collection.
    pub fn writes(&self, collection: &str) -> bool {
        self.method == "PATCH" && self.path.starts_with(collection)
    }

    /// The one object that the request selects by its name.
    fn selected_name(&self) -> Option<&str> {
        self.parameter("fieldSelector")?
            .strip_prefix("metadata.name%3D")
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

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

type Faults = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// A running server. Clones share it.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    cluster: Mutex<Cluster>,
    requests: Mutex<Vec<Request>>,
    faults: Mutex<Faults>,
    /// Collections whose watches bring nothing any more.
    deaf: Mutex<BTreeSet<String>>,
    /// Requests are only counted.
    forgets: AtomicBool,
    /// Bytes of answers and events.
    sent: AtomicU64,
}

/// Changes that a watch can still begin from.
const KEPT_CHANGES: usize = 20_000;

/// Objects by collection and name, and every change of one: the version is the number of changes.
#[derive(Default)]
struct Cluster {
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// Schemas of collections; what has none takes every write.
    schemas: BTreeMap<String, Value>,
    /// The latest changes.
    changes: VecDeque<Change>,
    /// Changes before these.
    forgotten: usize,
    /// Watches of a collection, or of the one object in it that has this name.
    watchers: HashMap<(String, Option<String>), Vec<UnboundedSender<Event>>>,
}

/// An event of a watch, as it is sent.
type Event = Arc<str>;

struct Change {
    collection: String,
    name: String,
    event: Event,
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
                cluster: Mutex::default(),
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
        let mut cluster = locked(&self.state.cluster);
        cluster.schemas.insert(collection.to_owned(), schema);
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
        locked(&self.state.cluster).store(collection, name, object);
    }

    /// Changes an object in place, as somebody else would; nothing happens where it is not there.
    pub fn edit(&self, collection: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut cluster = locked(&self.state.cluster);
        let stored = cluster
            .objects
            .get(collection)
            .and_then(|all| all.get(name));
        if let Some(mut object) = stored.cloned() {
            change(&mut object);
            cluster.store(collection, name, object);
        }
    }

    /// Names of the objects of a collection.
    pub fn names(&self, collection: &str) -> Vec<String> {
        let cluster = locked(&self.state.cluster);
        let all = cluster.objects.get(collection).into_iter();
        all.flat_map(|all| all.keys().cloned()).collect()
    }

    /// Deletes an object.
    pub fn delete(&self, collection: &str, name: &str) {
        locked(&self.state.cluster).delete(collection, name);
    }

    /// An object as it is now.
    pub fn get(&self, collection: &str, name: &str) -> Option<Value> {
        let cluster = locked(&self.state.cluster);
        cluster.objects.get(collection)?.get(name).cloned()
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Answers the requests of one connection.
    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await? {
            if !self.forgets.load(Ordering::Relaxed) {
                locked(&self.requests).push(request.clone());
            }
            let fault = (locked(&self.faults))(&request);
            match fault {
                Some(Fault::Refuse { code, retry_after }) => {
                    let wait = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
                    let wait = wait.unwrap_or_default();
                    self.respond(&mut stream, code, &wait, "refused on request")
                        .await?;
                }
                Some(Fault::NoAnswer) => pending::<()>().await,
                Some(Fault::EndWatch) => {
                    begin_watch(&mut stream).await?;
                    return stream.write_all(b"0\r\n\r\n").await;
                }
                Some(Fault::DeafWatch) => {
                    begin_watch(&mut stream).await?;
                    pending::<()>().await;
                }
                None if request.is_watch() => return self.watch(&mut stream, &request).await,
                None => {
                    let (code, answer) = locked(&self.cluster).answer(&request);
                    self.respond(&mut stream, code, "", &answer.to_string())
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn watch(&self, stream: &mut BufReader<TcpStream>, request: &Request) -> io::Result<()> {
        let since = request.parameter("resourceVersion").unwrap_or_default();
        let since: usize = since.parse().unwrap_or_default();
        let begun = locked(&self.cluster).watch(request, since);
        let Some((missed, mut events)) = begun else {
            let (code, gone) = failure(410, "too old resource version");
            return self.respond(stream, code, "", &gone.to_string()).await;
        };
        begin_watch(stream).await?;
        for event in missed {
            self.send(stream, &request.path, &event).await?;
        }
        while let Some(event) = events.recv().await {
            self.send(stream, &request.path, &event).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        stream: &mut BufReader<TcpStream>,
        collection: &str,
        event: &str,
    ) -> io::Result<()> {
        if locked(&self.deaf).contains(collection) {
            pending::<()>().await;
        }
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        self.count(chunk.len());
        stream.write_all(chunk.as_bytes()).await?;
        stream.flush().await
    }

    async fn respond(
        &self,
        stream: &mut BufReader<TcpStream>,
        code: u16,
        headers: &str,
        body: &str,
    ) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.count(head.len() + body.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.flush().await
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The next request; `None` when the client has closed the connection.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let mut headers = lines.iter().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    let mut words = lines.first().map_or("", String::as_str).split(' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.trim_start_matches('&').to_owned(),
        content_type: header("content-type").to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        bytes: body.len(),
        at: Instant::now(),
    }))
}

async fn begin_watch(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
                Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await
}

impl Cluster {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        let segments: Vec<&str> = request.path.split('/').skip(1).collect();
        // `/api/v1/PLURAL/NAME`, but `/apis/GROUP/VERSION/PLURAL/NAME`; a namespace is two segments more.
        let mut plural = if segments.first() == Some(&"api") {
            2
        } else {
            3
        };
        if segments.get(plural) == Some(&"namespaces") {
            plural += 2;
        }
        let head = &segments[..segments.len().min(plural + 1)];
        let collection = format!("/{}", head.join("/"));
        let name = segments.get(plural + 1).copied();
        let is_status = segments.get(plural + 2) == Some(&"status");
        match (request.method.as_str(), name) {
            ("GET", None) => (200, self.list(&collection, request)),
            ("GET", Some(name)) => self.found(&collection, name),
            ("PATCH", Some(name)) => self.apply(&collection, name, &request.body, is_status),
            ("DELETE", Some(name)) => {
                let found = self.found(&collection, name);
                self.delete(&collection, name);
                found
            }
            ("PUT", Some(name)) => self.replace(&collection, name, &request.body),
            ("POST", _) => self.create(&collection, &request.body),
            _ => failure(405, "the test's API server does not do this"),
        }
    }

    /// Keeps a new object. Events are made and never read, and a review is answered and forgotten.
    fn create(&mut self, collection: &str, body: &Value) -> (u16, Value) {
        let mut made = body.clone();
        if made["kind"] == "SelfSubjectReview" {
            made["status"]["userInfo"] = json!({"username": ACCOUNT.0, "uid": ACCOUNT.1});
        } else if made["kind"] != "Event" {
            let name = made["metadata"]["name"].as_str().unwrap_or_default();
            if self.found(collection, name).0 == 200 {
                return failure(409, "already exists");
            }
            made = self.store(collection, name, body.clone());
        }
        (201, made)
    }

    /// Keeps an object in place of the version that it is based on.
    fn replace(&mut self, collection: &str, name: &str, body: &Value) -> (u16, Value) {
        let (code, stored) = self.found(collection, name);
        if code != 200 {
            return (code, stored);
        }
        if stored["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] {
            return failure(409, "the object has been modified");
        }
        (200, self.store(collection, name, body.clone()))
    }

    fn list(&self, collection: &str, request: &Request) -> Value {
        let name = request.selected_name();
        let all = self.objects.get(collection).into_iter().flatten();
        let items: Vec<&Value> = all
            .filter(|(own, _)| name.is_none_or(|name| name == *own))
            .map(|(_, object)| object)
            .collect();
        json!({
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": self.version().to_string()},
            "items": items,
        })
    }

    fn found(&self, collection: &str, name: &str) -> (u16, Value) {
        match self.objects.get(collection).and_then(|all| all.get(name)) {
            Some(object) => (200, object.clone()),
            None => failure(404, "not found"),
        }
    }

    /// Server-side apply by a writer who owns the whole spec or status.
    fn apply(&mut self, collection: &str, name: &str, body: &Value, status: bool) -> (u16, Value) {
        let schema = self.schemas.get(collection);
        if let Some((code, message)) = schema.and_then(|schema| schema::refusal(body, schema, name))
        {
            return failure(code, &message);
        }
        let stored = self.objects.get(collection).and_then(|all| all.get(name));
        let based_on = &body["metadata"]["resourceVersion"];
        let mut object = match stored {
            Some(stored)
                if based_on.is_null() || stored["metadata"]["resourceVersion"] == *based_on =>
            {
                stored.clone()
            }
            Some(_) => return failure(409, "the object has been modified"),
            None if status || !based_on.is_null() => return failure(404, "not found"),
            None => json!({
                "apiVersion": body["apiVersion"],
                "kind": body["kind"],
                "metadata": {
                    "name": name,
                    "uid": format!("uid-{}", self.version()),
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                    "generation": 0,
                },
            }),
        };
        let before = object.clone();
        if status {
            object["status"] = body["status"].clone();
        } else {
            object["spec"] = body["spec"].clone();
            for part in ["labels", "ownerReferences"] {
                object["metadata"][part] = body["metadata"][part].clone();
            }
            if object["spec"] != before["spec"] {
                let generation = before["metadata"]["generation"]
                    .as_i64()
                    .unwrap_or_default();
                object["metadata"]["generation"] = json!(generation + 1);
            }
        }
        if object != before {
            object = self.store(collection, name, object);
        }
        (200, object)
    }

    fn store(&mut self, collection: &str, name: &str, mut object: Value) -> Value {
        let version = self.version() + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let all = self.objects.entry(collection.to_owned()).or_default();
        let is_new = all.insert(name.to_owned(), object.clone()).is_none();
        let type_ = if is_new { "ADDED" } else { "MODIFIED" };
        self.changed(collection, name, type_, &object);
        object
    }

    fn delete(&mut self, collection: &str, name: &str) {
        let all = self.objects.entry(collection.to_owned()).or_default();
        if let Some(mut object) = all.remove(name) {
            let version = self.version() + 1;
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            self.changed(collection, name, "DELETED", &object);
        }
    }

    fn version(&self) -> usize {
        self.forgotten + self.changes.len()
    }

    fn changed(&mut self, collection: &str, name: &str, type_: &str, object: &Value) {
        let event = json!({"type": type_, "object": object});
        let event: Event = format!("{event}\n").into();
        for of in [None, Some(name.to_owned())] {
            if let Some(watchers) = self.watchers.get_mut(&(collection.to_owned(), of)) {
                watchers.retain(|watcher| watcher.send(Arc::clone(&event)).is_ok());
            }
        }
        self.changes.push_back(Change {
            collection: collection.to_owned(),
            name: name.to_owned(),
            event,
        });
        if self.changes.len() > KEPT_CHANGES {
            self.changes.pop_front();
            self.forgotten += 1;
        }
    }

    /// The events since a version, and those to come; `None` where it is too long ago.
    fn watch(
        &mut self,
        request: &Request,
        since: usize,
    ) -> Option<(Vec<Event>, UnboundedReceiver<Event>)> {
        let name = request.selected_name();
        let known = since.checked_sub(self.forgotten)?;
        let missed = self.changes.iter().skip(known);
        let ours = missed.filter(|change| {
            change.collection == request.path && name.is_none_or(|name| name == change.name)
        });
        let ours = ours.map(|change| Arc::clone(&change.event)).collect();
        let (sender, events) = unbounded_channel();
        let key = (request.path.clone(), name.map(str::to_owned));
        self.watchers.entry(key).or_default().push(sender);
        Some((ours, events))
    }
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "" };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "message": message, "reason": reason,
    });
    (code, status)
}
