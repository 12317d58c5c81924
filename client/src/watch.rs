//! One watch of one kind. It gives the events of kube's own, and does three things that kube's does not: it notices
//! after 75 s that nothing comes, it pauses before each new attempt however the last one ended, and it says when it is
//! served.

use std::{
    collections::VecDeque,
    fmt::Debug,
    hash::{BuildHasher, Hasher, RandomState},
    mem,
    time::Duration,
};

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, WatchParams},
    core::{Status, WatchEvent},
    runtime::{
        utils::Backoff,
        watcher::{DefaultBackoff, Event},
    },
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::bounded::{retry_after, retry_after_of};

/// Bookmarks come about each minute, so a watch without an event or bookmark for longer is deaf.
const IDLE: Duration = Duration::from_secs(75);
/// A watch that lasts so long can be begun anew at once, or after the first of the growing pauses where it broke: some
/// balancers cut every connection that is idle for 20 s.
const SETTLED: Duration = Duration::from_secs(10);
/// Should the pauses ever end; kube's go on with 30 s.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// Seconds after which the API server is asked to end a watch: spread, so that not all begin anew at once.
const LIFETIME: std::ops::Range<u64> = 240..290;
/// Objects of one page of a list.
const PAGE: u32 = 500;

/// A step of a watch.
#[derive(Debug)]
pub enum Step<K> {
    /// A change of the objects.
    Event(Event<K>),
    /// The API server serves the watch: what has not come, has not happened.
    Served,
    /// Nothing is known from here on until the watch is served again. It begins anew by itself.
    Interrupted(Error),
}

/// Why a watch was interrupted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list before it.
    #[error("failed to list the objects")]
    List(#[source] kube::Error),
    /// The list has no version to watch from.
    #[error("failed to watch: the list has no resourceVersion")]
    NoVersion,
    /// Its begin.
    #[error("failed to start the watch")]
    Start(#[source] kube::Error),
    /// It broke.
    #[error("failed to read the watch")]
    Read(#[source] kube::Error),
    /// The API server ended it with a reason.
    #[error("the API server ended the watch: {}", .0.message)]
    Refused(Box<Status>),
    /// The API server ended it without a reason, and too soon.
    #[error("the API server ended the watch at once")]
    Ended,
    /// Nothing came.
    #[error("the watch brought neither event nor bookmark in {0:?}")]
    Silent(Duration),
}

impl Error {
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::List(error) | Self::Start(error) | Self::Read(error) => retry_after(error),
            Self::Refused(status) => retry_after_of(status),
            Self::NoVersion | Self::Ended | Self::Silent(_) => None,
        }
    }
}

/// Lists and watches the objects, only those that the field selector names, for ever.
pub fn watch<K>(api: Api<K>, fields: Option<String>) -> impl Stream<Item = Step<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watch_idle(api, fields, IDLE)
}

/// The same with another limit for a watch that brings nothing.
pub fn watch_idle<K>(
    api: Api<K>,
    fields: Option<String>,
    idle: Duration,
) -> impl Stream<Item = Step<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watch = Watch {
        api,
        fields,
        idle,
        phase: Phase::default(),
        backoff: DefaultBackoff::default(),
        wait: Duration::ZERO,
    };
    stream::unfold(watch, |mut watch| async move {
        let step = watch.step().await;
        Some((step, watch))
    })
}

struct Watch<K> {
    api: Api<K>,
    fields: Option<String>,
    idle: Duration,
    phase: Phase<K>,
    backoff: DefaultBackoff,
    /// Before the next request.
    wait: Duration,
}

#[derive(Default)]
enum Phase<K> {
    /// Nothing is known.
    #[default]
    Unlisted,
    /// Part of the list was read.
    Listing { objects: VecDeque<K>, next: Next },
    /// Everything is known up to this version.
    Listed(String),
    Watching {
        version: String,
        events: BoxStream<'static, kube::Result<WatchEvent<K>>>,
        since: Instant,
    },
}

/// The steps after the objects of a page.
enum Next {
    Page(Option<String>),
    Watch(String),
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    async fn step(&mut self) -> Step<K> {
        sleep(mem::take(&mut self.wait)).await;
        loop {
            let step = match mem::take(&mut self.phase) {
                Phase::Unlisted => {
                    self.phase = Phase::Listing {
                        objects: VecDeque::new(),
                        next: Next::Page(None),
                    };
                    Some(Step::Event(Event::Init))
                }
                Phase::Listing { mut objects, next } => match (objects.pop_front(), next) {
                    (Some(object), next) => {
                        self.phase = Phase::Listing { objects, next };
                        Some(Step::Event(Event::InitApply(object)))
                    }
                    (None, Next::Watch(version)) => {
                        self.phase = Phase::Listed(version);
                        Some(Step::Event(Event::InitDone))
                    }
                    (None, Next::Page(token)) => self.list(token).await,
                },
                Phase::Listed(version) => Some(self.start(version).await),
                Phase::Watching {
                    version,
                    events,
                    since,
                } => self.read(version, events, since).await,
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    async fn list(&mut self, token: Option<String>) -> Option<Step<K>> {
        let parameters = ListParams {
            field_selector: self.fields.clone(),
            limit: Some(PAGE),
            continue_token: token,
            ..ListParams::default()
        };
        let list = match self.api.list(&parameters).await {
            Ok(list) => list,
            Err(error) => return Some(self.interrupted(Error::List(error), Phase::Unlisted)),
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let next = match (
            given(list.metadata.continue_),
            given(list.metadata.resource_version),
        ) {
            (Some(token), _) => Next::Page(Some(token)),
            (None, Some(version)) => Next::Watch(version),
            (None, None) => return Some(self.interrupted(Error::NoVersion, Phase::Unlisted)),
        };
        self.phase = Phase::Listing {
            objects: list.items.into(),
            next,
        };
        None
    }

    async fn start(&mut self, version: String) -> Step<K> {
        let parameters = WatchParams {
            field_selector: self.fields.clone(),
            timeout: Some(lifetime()),
            bookmarks: true,
            ..WatchParams::default()
        };
        match self.api.watch(&parameters, &version).await {
            Ok(events) => {
                self.phase = Phase::Watching {
                    version,
                    events: events.boxed(),
                    since: Instant::now(),
                };
                Step::Served
            }
            Err(error) => {
                let is_gone = matches!(&error, kube::Error::Api(status) if status.code == 410);
                self.interrupted(Error::Start(error), Phase::after(version, is_gone))
            }
        }
    }

    /// Waits for what comes next; `None` when the watch has ended in its time.
    async fn read(
        &mut self,
        version: String,
        mut events: BoxStream<'static, kube::Result<WatchEvent<K>>>,
        since: Instant,
    ) -> Option<Step<K>> {
        let next = timeout(self.idle, events.next()).await;
        let is_settled = since.elapsed() >= SETTLED;
        if is_settled {
            self.backoff.reset();
        }
        let error = match next {
            Ok(Some(Ok(event))) => {
                let (seen, step) = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        (object.resource_version(), Step::Event(Event::Apply(object)))
                    }
                    WatchEvent::Deleted(object) => (
                        object.resource_version(),
                        Step::Event(Event::Delete(object)),
                    ),
                    WatchEvent::Bookmark(bookmark) => {
                        (Some(bookmark.metadata.resource_version), Step::Served)
                    }
                    WatchEvent::Error(status) => {
                        let phase = Phase::after(version, status.code == 410);
                        return Some(self.interrupted(Error::Refused(status), phase));
                    }
                };
                self.phase = Phase::Watching {
                    version: seen.unwrap_or(version),
                    events,
                    since,
                };
                return Some(step);
            }
            Ok(None) if is_settled => {
                self.phase = Phase::Listed(version);
                return None;
            }
            Ok(Some(Err(error))) => Error::Read(error),
            Ok(None) => Error::Ended,
            Err(_) => Error::Silent(self.idle),
        };
        Some(self.interrupted(error, Phase::Listed(version)))
    }

    fn interrupted(&mut self, error: Error, phase: Phase<K>) -> Step<K> {
        let wait = self.backoff.next().unwrap_or(LAST_PAUSE);
        self.wait = error.wait().map_or(wait, |asked| asked.max(wait));
        self.phase = phase;
        Step::Interrupted(error)
    }
}

impl<K> Phase<K> {
    /// The next step of an interrupted watch. `is_gone`: the API server no longer knows the version.
    fn after(version: String, is_gone: bool) -> Self {
        if is_gone {
            Self::Unlisted
        } else {
            Self::Listed(version)
        }
    }
}

fn lifetime() -> u32 {
    // A new hasher has new random keys, which is all the chance that is needed.
    let chance = RandomState::new().build_hasher().finish();
    let seconds = LIFETIME.start + chance % (LIFETIME.end - LIFETIME.start);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
