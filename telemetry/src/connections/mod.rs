//! The connections of the server: bounded in number, time and size, whatever clients do.
//!
//! A connection answers one request. Beyond [`MOST_CONNECTIONS`] the oldest gives way to the new one: a client that is
//! answered at once, as the kubelet is, gets its answer however many others send their requests slowly.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use axum::{
    Router,
    serve::{Listener, ListenerExt as _},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tracing::debug;

/// The connections at a time. The kubelet and Prometheus need one each, for a few milliseconds.
const MOST_CONNECTIONS: usize = 32;
/// The time for a request's header.
const LONGEST_HEADER: Duration = Duration::from_secs(5);
/// The time for all of a connection, the answer included: Prometheus waits 10 s for one.
const LONGEST_CONNECTION: Duration = Duration::from_secs(10);
/// The bytes of a request's line and header; a token of 4 KiB and what Prometheus sends fit.
const LARGEST_HEADER: usize = 16 * 1024;
/// The lines of a header.
const MOST_HEADERS: usize = 64;

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    // An answer of several writes would wait for the client's acknowledgement otherwise.
    let mut listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEADER)
        .max_buf_size(LARGEST_HEADER)
        .max_headers(MOST_HEADERS);
    let mut served = VecDeque::<JoinHandle<()>>::with_capacity(MOST_CONNECTIONS);
    loop {
        // Goes on after an error: it waits a second when no descriptor is left.
        let (stream, _) = Listener::accept(&mut listener).await;
        served.retain(|connection| !connection.is_finished());
        while served.len() >= MOST_CONNECTIONS {
            if let Some(oldest) = served.pop_front() {
                oldest.abort();
            }
        }
        served.push_back(tokio::spawn(answer(http.clone(), stream, router.clone())));
    }
}

async fn answer(http: http1::Builder, stream: TcpStream, router: Router) {
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match timeout(LONGEST_CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(
            error = &error as &dyn std::error::Error,
            "A connection broke"
        ),
        Err(_) => debug!("A connection took too long"),
    }
}
