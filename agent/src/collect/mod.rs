//! One window: reads every source at both its ends, counts drops in between, and puts it together as evidence.
//!
//! What cannot be read becomes `Observed::Unavailable` with its reason. Nothing here fails: an agent that sees half
//! says so and goes on.

mod churn;
mod drops;
mod filter;
#[cfg(test)]
mod live_tests;
mod node;
mod on_demand;
mod routes;
mod snapshot;
mod stop;

use std::{
    mem::take,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use netdiag_diagnosis::{EvidenceWindow, evidence::NodeFacts};

use crate::{
    memory::Size,
    probes::{Kernel, drop::Edges, wait_for_turn},
    sources::{self, HostRoot, KernelLog, NamespaceScope, SourceError, Sources},
};

use churn::Churn;
use drops::DropWatch;
use filter::FilterWatch;
pub(crate) use node::{host_name, node_facts};
use on_demand::OnDemandProbes;
use routes::RouteWatch;
use snapshot::{BothEnds, WindowEnd};
pub(crate) use stop::Stop;

/// The interval at which samples are taken out of their ring, so that it does not fill up, and progress is reported.
const TICK: Duration = Duration::from_secs(1);

/// The subject and the length of a window.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The node's name.
    pub node: String,
    /// The mount point of the host's root.
    pub host_root: PathBuf,
    /// The length of the window.
    pub duration: Duration,
    /// Look into the namespaces of pods, and into every other but the node's own.
    pub pods: bool,
}

/// The progress of a window.
pub(crate) struct WindowProgress<'a> {
    /// The node.
    pub node: &'a NodeFacts,
    /// Interfaces of the node's own namespace, where they could be read.
    pub interfaces: Option<usize>,
    /// The time when it began, in ms since 1970 by the wall clock.
    pub start_unix_ms: i64,
    /// Time since the window began.
    pub elapsed: Duration,
    /// The planned length of the window.
    pub duration: Duration,
}

/// The evidence of a window that has ended.
#[derive(Default)]
pub(crate) struct Collected {
    /// The evidence.
    pub window: EvidenceWindow,
    /// It lasted as long as it should; false when it was stopped early.
    pub complete: bool,
}

/// Watches for as long as was asked, or until it is stopped. Everything is detached when it returns. `admit` is told the
/// node's size before anything is read, and ends the window by false.
pub(crate) fn collect(
    request: &Request,
    kernel: &Kernel,
    stop: &Stop,
    admit: &mut dyn FnMut(Size) -> bool,
    progress: &mut dyn FnMut(&WindowProgress<'_>),
) -> Collected {
    let node = node_facts(request.node.clone(), &request.host_root);
    let scope = if request.pods {
        NamespaceScope::All
    } else {
        NamespaceScope::Node
    };
    let (sources, mut watch) = load(request, scope, kernel);
    // Without sources next to nothing is read.
    if let Ok(sources) = &sources
        && !admit(sources.size())
    {
        return Collected::default();
    }
    let mut kernel_log = KernelLog::from_now();

    let start_unix_ms = unix_ms();
    let began = Instant::now();
    let before = WindowEnd::read(&sources, &mut watch, None);
    let rules = FilterWatch::begin();
    let mut routes = RouteWatch::begin();
    let mut churn = Churn::begin(&before);
    let mut on_demand = OnDemandProbes::begin(sources.as_ref().ok(), &before, kernel);
    let interfaces = before.interfaces();
    let complete = loop {
        let elapsed = began.elapsed();
        progress(&WindowProgress {
            node: &node,
            interfaces,
            start_unix_ms,
            elapsed,
            duration: request.duration,
        });
        let left = request.duration.saturating_sub(elapsed);
        if left.is_zero() {
            break true;
        }
        if stop.wait(left.min(TICK)) {
            break false;
        }
        watch.read();
        routes.tick();
        churn.tick(sources.as_ref().ok());
        on_demand.tick(kernel, began.elapsed());
    };
    let lasted = began.elapsed();
    let duration_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    let mut after = WindowEnd::read(&sources, &mut watch, Some(&before));
    let rules = rules.end();
    let mut before = before;
    let edges = Edges {
        m0: take(&mut before.drops),
        m0_after: take(&mut before.drops_after),
        m1: take(&mut after.drops),
        m1_after: take(&mut after.drops_after),
    };
    let mut seen = BothEnds::between(before, churn.into_looks(), after);
    let links = seen.links.value().map_or(&[][..], Vec::as_slice);
    let (drops, lost) = watch.finish(&edges, &seen.namespaces, links, &mut seen.ended_links);
    let mut window = EvidenceWindow {
        node,
        start_unix_ms,
        duration_ms,
        namespaces: seen.namespaces,
        links: seen.links,
        ended_links: seen.ended_links,
        drops,
        packet_sockets: seen.packet_sockets,
        packet_socket_reader: seen.packet_socket_reader,
        inet_sockets: seen.inet_sockets,
        tun_holders: seen.tun_holders,
        kernel_log: kernel_log.read(),
        softnet: seen.softnet,
        neighbour_tables: seen.neighbour_tables,
        settings: sources::settings::of_kernel(),
        lost,
        ..EvidenceWindow::default()
    };
    rules.finish(lasted, &mut window);
    routes.finish(lasted, &mut window);
    on_demand.finish(lasted, &mut window);
    Collected { window, complete }
}

fn load(
    request: &Request,
    scope: NamespaceScope,
    kernel: &Kernel,
) -> (Result<Sources, Arc<SourceError>>, DropWatch) {
    let _turn = wait_for_turn();
    let sources = Sources::new(HostRoot::new(&request.host_root), scope, kernel);
    (sources.map_err(Arc::new), DropWatch::begin(kernel))
}

fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs no privilege: what cannot be read is said to be missing.
    #[test]
    fn a_stopped_window_ends_at_once_and_says_that_it_is_not_complete() {
        let request = Request {
            node: "n".to_owned(),
            host_root: PathBuf::from("/"),
            duration: Duration::from_secs(3600),
            pods: false,
        };
        let stop = Stop::default();
        stop.set();
        let mut calls = 0;
        let collected = collect(
            &request,
            &Kernel::load(),
            &stop,
            &mut |_| true,
            &mut |progress| {
                calls += 1;
                assert_eq!(progress.node.name, "n");
            },
        );
        assert!(!collected.complete);
        assert_eq!(calls, 1);
        assert!(collected.window.duration_ms < 3_600_000);
        assert!(!collected.window.node.kernel.is_empty());
    }

    #[test]
    fn a_window_lasts_as_long_as_was_asked() {
        let request = Request {
            node: "n".to_owned(),
            host_root: PathBuf::from("/"),
            duration: Duration::from_millis(300),
            pods: false,
        };
        let collected = collect(
            &request,
            &Kernel::load(),
            &Stop::default(),
            &mut |_| true,
            &mut |_| {},
        );
        assert!(collected.complete);
        assert!(collected.window.duration_ms >= 300);
    }
}
