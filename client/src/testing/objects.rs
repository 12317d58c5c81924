//! The objects that the server keeps, and their changes.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{ACCOUNT, request::Request, schema};

/// Changes that a watch can still begin from.
const KEPT_CHANGES: usize = 20_000;

/// Objects by collection and name, and every change of one: the version is the number of changes.
#[derive(Default)]
pub(super) struct Objects {
    stored: BTreeMap<String, BTreeMap<String, Value>>,
    /// Schemas of collections; what has none takes every write.
    pub(super) schemas: BTreeMap<String, Value>,
    /// The latest changes.
    changes: VecDeque<Change>,
    /// Changes before these.
    forgotten: usize,
    /// Watches of a collection, or of the one object in it that has this name.
    watchers: HashMap<(String, Option<String>), Vec<UnboundedSender<Event>>>,
}

/// An event of a watch, as it is sent.
pub(super) type Event = Arc<str>;

struct Change {
    collection: String,
    name: String,
    event: Event,
}

impl Objects {
    /// An object as it is now.
    pub(super) fn get(&self, collection: &str, name: &str) -> Option<&Value> {
        self.stored.get(collection)?.get(name)
    }

    /// Names of the objects of a collection.
    pub(super) fn names(&self, collection: &str) -> Vec<String> {
        let all = self.stored.get(collection).into_iter();
        all.flat_map(|all| all.keys().cloned()).collect()
    }

    /// Changes an object in place; nothing happens where it is not there.
    pub(super) fn edit(&mut self, collection: &str, name: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.get(collection, name).cloned() {
            change(&mut object);
            self.store(collection, name, object);
        }
    }

    /// Does what a request asks; the status and the body of the answer.
    pub(super) fn answer(&mut self, request: &Request) -> (u16, Value) {
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
        let all = self.stored.get(collection).into_iter().flatten();
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
        match self.get(collection, name) {
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
        let stored = self.get(collection, name);
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

    /// Keeps an object as it is, under the next version.
    pub(super) fn store(&mut self, collection: &str, name: &str, mut object: Value) -> Value {
        let version = self.version() + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let all = self.stored.entry(collection.to_owned()).or_default();
        let is_new = all.insert(name.to_owned(), object.clone()).is_none();
        let type_ = if is_new { "ADDED" } else { "MODIFIED" };
        self.changed(collection, name, type_, &object);
        object
    }

    /// Takes an object away.
    pub(super) fn delete(&mut self, collection: &str, name: &str) {
        let all = self.stored.entry(collection.to_owned()).or_default();
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
    pub(super) fn watch(
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

/// A refusal with its status.
pub(super) fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "" };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "message": message, "reason": reason,
    });
    (code, status)
}
