//! Connections: requests in, answers, events and faults out.

use std::{
    collections::BTreeSet,
    future::pending,
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{
    Fault, locked,
    objects::{Objects, failure},
    request::{self, Request},
};

/// Tells the fault of each request, if any.
pub(super) type Faults = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// Everything that the connections of a server share.
pub(super) struct State {
    pub(super) objects: Mutex<Objects>,
    pub(super) requests: Mutex<Vec<Request>>,
    pub(super) faults: Mutex<Faults>,
    /// Collections whose watches bring nothing any more.
    pub(super) deaf: Mutex<BTreeSet<String>>,
    /// Requests are only counted.
    pub(super) forgets: AtomicBool,
    /// Bytes of answers and events.
    pub(super) sent: AtomicU64,
}

impl State {
    /// Answers the requests of one connection.
    pub(super) async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = request::read(&mut stream).await? {
            let number = self.write_down(&request);
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
                    let (code, answer) = locked(&self.objects).answer(&request);
                    if let Some(number) = number {
                        locked(&self.requests)[number].code = Some(code);
                    }
                    self.respond(&mut stream, code, "", &answer.to_string())
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Its number, unless requests are forgotten.
    fn write_down(&self, request: &Request) -> Option<usize> {
        if self.forgets.load(Ordering::Relaxed) {
            return None;
        }
        let mut requests = locked(&self.requests);
        requests.push(request.clone());
        Some(requests.len() - 1)
    }

    async fn watch(&self, stream: &mut BufReader<TcpStream>, request: &Request) -> io::Result<()> {
        let since = request.parameter("resourceVersion").unwrap_or_default();
        let since: usize = since.parse().unwrap_or_default();
        let begun = locked(&self.objects).watch(request, since);
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

async fn begin_watch(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
                Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await
}
