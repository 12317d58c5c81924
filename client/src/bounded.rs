//! A deadline for each request, and the wait that a refusal asks for.

use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Method, Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use kube::{
    client::{Body, DynBody},
    core::Status,
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::{Layer, Service};

/// Longest wait that is obeyed: a server that asks for more is asked again sooner.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Doublings of a deadline while requests are not answered in time: what a slow API server does not do in one deadline, it
/// does in a longer one, and not in the same again.
const MOST_DOUBLINGS: u32 = 2;

/// The deadlines of requests, each up to the last byte of the answer. They double with each request in turn that is not
/// answered in time, up to four times as long, and are as they were after an answer.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// A read, and the begin of a watch. A page of a list may be large.
    pub read: Duration,
    /// A write.
    pub write: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(30),
            write: Duration::from_secs(10),
        }
    }
}

/// The API server gave no answer in time. Whether it has carried the request out is not known.
#[derive(Debug, thiserror::Error)]
#[error("no answer in {0:?}")]
pub struct NoAnswer(pub Duration);

/// The time that the API server asks to wait before the next attempt; the error, or what caused it, is its refusal.
pub fn retry_after(error: &(dyn Error + 'static)) -> Option<Duration> {
    let mut next = Some(error);
    while let Some(error) = next {
        let boxed = error.downcast_ref::<Box<kube::Error>>().map(Box::as_ref);
        if let Some(kube::Error::Api(status)) = error.downcast_ref().or(boxed) {
            return retry_after_of(status);
        }
        next = error.source();
    }
    None
}

/// The same of a status.
pub fn retry_after_of(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    let wait = Duration::from_secs(seconds.into());
    (seconds > 0).then(|| wait.min(LONGEST_WAIT))
}

type BoxError = Box<dyn Error + Send + Sync>;
type Answer = Response<Box<DynBody>>;

/// A client's service whose requests end.
#[derive(Clone, Debug)]
pub struct Bounded<S> {
    inner: S,
    deadlines: Deadlines,
    /// Requests in turn that were not answered in time.
    unanswered: Arc<AtomicU32>,
}

/// Puts [`Bounded`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct BoundedLayer(Deadlines);

impl Bounded<()> {
    /// A layer with these deadlines.
    pub fn layer(deadlines: Deadlines) -> BoundedLayer {
        BoundedLayer(deadlines)
    }
}

impl<S> Layer<S> for BoundedLayer {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded {
            inner,
            deadlines: self.0,
            unanswered: Arc::default(),
        }
    }
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let deadline = if request.method() == Method::GET {
            self.deadlines.read
        } else {
            self.deadlines.write
        };
        let unanswered = Arc::clone(&self.unanswered);
        let deadline = deadline * (1 << unanswered.load(Ordering::Relaxed).min(MOST_DOUBLINGS));
        let streams = is_watch(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let whole = async {
                let answer = answer.await?;
                // The watcher notices by itself when nothing comes.
                if streams && answer.status().is_success() {
                    Ok(answer)
                } else {
                    collected(answer).await
                }
            };
            match timeout(deadline, whole).await {
                Ok(answer) => {
                    unanswered.store(0, Ordering::Relaxed);
                    answer
                }
                Err(_) => {
                    unanswered.fetch_add(1, Ordering::Relaxed);
                    Err(NoAnswer(deadline).into())
                }
            }
        })
    }
}

fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

/// The answer with its whole body. A refusal that asks to wait says so in its body too, where kube finds it.
async fn collected(answer: Answer) -> Result<Answer, BoxError> {
    let (mut head, body) = answer.into_parts();
    let mut bytes = body.collect().await?.to_bytes();
    if let Some(seconds) = wait_asked(head.status, &head.headers) {
        bytes = refusal(head.status, &bytes, seconds).into();
        head.headers.remove(http::header::CONTENT_LENGTH);
    }
    let body = Full::new(bytes).map_err(|never| match never {});
    Ok(Response::from_parts(head, Box::new(body)))
}

/// The seconds of `Retry-After`. The API server gives no dates.
fn wait_asked(status: StatusCode, headers: &HeaderMap) -> Option<u32> {
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// The body as a `Status` with the wait. API priority and fairness refuses in plain text.
fn refusal(status: StatusCode, body: &[u8], seconds: u32) -> Vec<u8> {
    let told = serde_json::from_slice::<Value>(body).ok();
    let mut told = told.filter(|told| told["kind"] == "Status").unwrap_or_else(|| {
        let message = String::from_utf8_lossy(body);
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message.trim()})
    });
    told["code"] = json!(status.as_u16());
    if !told["details"].is_object() {
        told["details"] = json!({});
    }
    told["details"]["retryAfterSeconds"] = json!(seconds);
    told.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Status {
        let body = refusal(StatusCode::TOO_MANY_REQUESTS, body.as_bytes(), 7);
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn a_refusal_in_plain_text_keeps_its_words_and_says_how_long_to_wait() {
        let status = told("Too many requests, please try again later.\n");
        assert_eq!(
            (status.code, status.message.as_str()),
            (429, "Too many requests, please try again later.")
        );
        assert_eq!(retry_after_of(&status), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_refusal_that_is_a_status_keeps_its_reason() {
        let status = told(r#"{"kind":"Status","reason":"TooManyRequests","message":"wait"}"#);
        assert_eq!(status.reason, "TooManyRequests");
        assert_eq!(retry_after_of(&status), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_wait_of_hours_is_not_obeyed() {
        let body = refusal(StatusCode::TOO_MANY_REQUESTS, b"", 86_400);
        let status: Status = serde_json::from_slice(&body).unwrap();
        assert_eq!(retry_after_of(&status), Some(LONGEST_WAIT));
    }

    #[test]
    fn the_wait_is_found_below_what_was_being_done() {
        #[derive(Debug, thiserror::Error)]
        #[error("failed to apply")]
        struct Failed(#[source] Box<kube::Error>);
        let refused = |body: &str| kube::Error::Api(told(body).boxed());
        let failed = Failed(Box::new(refused("slowly")));
        assert_eq!(retry_after(&failed), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after(&refused("slowly")),
            Some(Duration::from_secs(7))
        );
        assert_eq!(retry_after(&NoAnswer(Duration::ZERO)), None);
    }
}
