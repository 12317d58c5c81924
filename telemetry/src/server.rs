//! Serves health and metrics over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200, or 503 with the loops that hang |
//! | `/readyz` | 200, or 503 with what is missing |
//! | `/metrics` | OpenMetrics text; with a token file only for those who show the token |
//!
//! The reasons are words of the code, and never an address: who may ask is not known.

use std::{
    fs, io,
    net::{AddrParseError, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use clap::Args;
use prometheus_client::{encoding::text::encode, registry::Registry};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::{connections, health::Health};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Longer than any sensible token; bounds what is read of a file that is none.
const LONGEST_TOKEN: u64 = 4096;

/// The address to serve on, and the clients to serve.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// Serve /healthz, /readyz and /metrics here, such as 127.0.0.1:9464 [default: not at all]
    #[arg(long, env = "NETDIAG_LISTEN", value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub listen: Option<SocketAddr>,
    /// Give /metrics only to those who show the token in this file, as `Authorization: Bearer TOKEN`
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub metrics_token_file: Option<PathBuf>,
}

/// An IPv6 address may come without brackets, as Kubernetes writes that of a node (`status.hostIP`).
fn parse_address(text: &str) -> Result<SocketAddr, AddrParseError> {
    text.parse().or_else(|error| {
        let (address, port) = text.rsplit_once(':').ok_or(error)?;
        format!("[{address}]:{port}").parse()
    })
}

/// The port cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address}, the value of --listen")]
pub struct CannotListen {
    address: SocketAddr,
    source: io::Error,
}

struct Served {
    registry: Registry,
    health: Health,
    token_file: Option<PathBuf>,
}

impl ServeArgs {
    /// Serves from now on, until the process ends.
    ///
    /// # Errors
    /// When the address is taken or is not this host's.
    pub async fn serve(&self, registry: Registry, health: Health) -> Result<(), CannotListen> {
        let Some(address) = self.listen else {
            return Ok(());
        };
        let failed = |source| CannotListen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        info!(address = %local, "Serving health and metrics");
        let router = router(Served {
            registry,
            health,
            token_file: self.metrics_token_file.clone(),
        });
        tokio::spawn(connections::serve(listener, router));
        Ok(())
    }
}

fn router(served: Served) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(served))
}

async fn healthz(State(served): State<Arc<Served>>) -> Response {
    verdict(&served.health.hanging())
}

async fn readyz(State(served): State<Arc<Served>>) -> Response {
    verdict(&served.health.missing())
}

fn verdict(complaints: &[String]) -> Response {
    if complaints.is_empty() {
        "ok\n".into_response()
    } else {
        let text = complaints.join("\n") + "\n";
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

async fn metrics(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    if let Some(file) = &served.token_file
        && !shows_token(&headers, file)
    {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
        )
            .into_response();
    }
    let mut text = String::new();
    match encode(&mut text, &served.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The file is read each time, so that a token can be changed without a restart. One that cannot be read lets nobody
/// in.
fn shows_token(headers: &HeaderMap, file: &Path) -> bool {
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let expected = read_token(file).inspect_err(|error| {
        warn!(error = error as &dyn std::error::Error, file = %file.display(), "Metrics token not readable");
    });
    match (shown, expected) {
        (Some(shown), Ok(expected)) if !expected.is_empty() => {
            shown.ct_eq(expected.as_bytes()).into()
        }
        _ => false,
    }
}

fn read_token(file: &Path) -> io::Result<String> {
    let size = fs::metadata(file)?.len();
    if size > LONGEST_TOKEN {
        return Err(io::Error::other(format!("{size} bytes are no token")));
    }
    Ok(fs::read_to_string(file)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// Serves on a free port of the loopback device.
    async fn serve(health: Health, token_file: Option<PathBuf>) -> SocketAddr {
        let mut registry = Registry::with_prefix("netdiag");
        let windows = Counter::<u64>::default();
        windows.inc();
        registry.register("windows", "Windows that ended", windows);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(Served {
            registry,
            health,
            token_file,
        });
        tokio::spawn(connections::serve(listener, router));
        address
    }

    async fn get(address: SocketAddr, path: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn addresses_of_nodes_are_understood_with_and_without_brackets() {
        for (text, expected) in [
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("[fd00::1]:9464", "[fd00::1]:9464"),
            ("fd00::1:9464", "[fd00::1]:9464"),
        ] {
            assert_eq!(parse_address(text).unwrap().to_string(), expected);
        }
        for wrong in ["", "9464", "node-1:9464", "127.0.0.1", "fd00::1:"] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn readiness_tells_what_is_missing() {
        let health = Health::default();
        let address = serve(health.clone(), None).await;
        assert!(
            get(address, "/readyz", "")
                .await
                .starts_with("HTTP/1.1 200")
        );
        health.lacks("caches", "not filled");
        let answer = get(address, "/readyz", "").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.contains("caches: not filled"),
            "{answer}"
        );
        assert!(
            get(address, "/healthz", "")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }

    #[tokio::test]
    async fn metrics_are_open_without_a_token_file() {
        let address = serve(Health::default(), None).await;
        let answer = get(address, "/metrics", "").await;
        assert!(answer.contains("netdiag_windows_total 1"), "{answer}");
    }

    #[tokio::test]
    async fn metrics_are_only_for_those_who_show_the_token() {
        let file = std::env::temp_dir().join(format!("netdiag-token-{}", std::process::id()));
        fs::write(&file, "secret\n").unwrap();
        let address = serve(Health::default(), Some(file.clone())).await;
        let with = async |token: &str| {
            get(
                address,
                "/metrics",
                &format!("Authorization: Bearer {token}\r\n"),
            )
            .await
        };
        let right = with("secret").await;
        let wrong = [
            get(address, "/metrics", "").await,
            with("secret2").await,
            with("").await,
        ];
        fs::write(&file, "").unwrap();
        let empty_file = with("").await;
        fs::remove_file(&file).unwrap();
        let no_file = with("secret").await;
        assert!(right.starts_with("HTTP/1.1 200"), "{right}");
        for answer in wrong.iter().chain([&empty_file, &no_file]) {
            assert!(
                answer.starts_with("HTTP/1.1 401") && !answer.contains("netdiag_"),
                "{answer}"
            );
        }
    }
}
