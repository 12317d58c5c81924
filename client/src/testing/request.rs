//! Requests as the server reads them.

use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
    time::Instant,
};

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
    /// The status of its answer, as soon as the server has done what it asks; none of a watch or a fault.
    pub code: Option<u16>,
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
    pub(super) fn selected_name(&self) -> Option<&str> {
        self.parameter("fieldSelector")?
            .strip_prefix("metadata.name%3D")
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// The next request; `None` when the client has closed the connection.
pub(super) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
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
        code: None,
    }))
}
