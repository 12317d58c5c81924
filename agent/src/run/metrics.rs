//! Metrics of the agent. Every label comes from a closed set in the code: no names of pods, interfaces or diagnoses.

use netdiag_crds::report::{Probe, RunResult, state};
use netdiag_diagnosis::{
    causes::{self, CHECKS, Check},
    evidence::Lost,
    finding::Severity,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::probes::standing::UNAVAILABLE;

/// The agent's counts of its own work.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    windows: Family<EndingLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    lost: Family<LostLabels, Counter>,
    probe_up: Family<ProbeLabels, Gauge>,
    running: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndingLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    check: &'static str,
    severity: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabels {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProbeLabels {
    probe: String,
}

const FINISHED: &str = "finished";
const INTERRUPTED: &str = "interrupted";
const COUNTS: &str = "counts";
const SAMPLES: &str = "samples";

impl Metrics {
    /// Metrics known to `registry`. What counts from the first event on is shown from the start.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for result in [FINISHED, INTERRUPTED] {
            drop(metrics.windows.get_or_create(&EndingLabels { result }));
        }
        for what in [COUNTS, SAMPLES] {
            drop(metrics.lost.get_or_create(&LostLabels { what }));
        }
        for Check { name: check, .. } in CHECKS.iter().copied() {
            for severity in Severity::ALL.map(Severity::as_str) {
                drop(
                    metrics
                        .findings
                        .get_or_create(&FindingLabels { check, severity }),
                );
            }
        }
        registry.register(
            "windows",
            "Windows that ended, by result",
            metrics.windows.clone(),
        );
        registry.register(
            "findings",
            "Findings told at the ends of windows, by check and severity",
            metrics.findings.clone(),
        );
        registry.register(
            "lost",
            "Drops that could not be counted apart, and samples that found their ring full",
            metrics.lost.clone(),
        );
        registry.register(
            "probe_up",
            "0 where a probe could not read anything in the last window; 1 where it did, if only in part, or was not asked",
            metrics.probe_up.clone(),
        );
        registry.register(
            "windows_running",
            "Windows that run now",
            metrics.running.clone(),
        );
        metrics
    }

    /// So many windows run.
    pub(super) fn set_running(&self, windows: usize) {
        self.running.set(i64::try_from(windows).unwrap_or(i64::MAX));
    }

    /// A window ended with these losses, and this is what its probes were like.
    pub(super) fn saw(&self, lost: Lost, probes: &[Probe]) {
        for (what, count) in [(COUNTS, lost.counts), (SAMPLES, lost.samples)] {
            self.lost.get_or_create(&LostLabels { what }).inc_by(count);
        }
        for probe in probes {
            let name = ProbeLabels {
                probe: probe.name.clone(),
            };
            // Older kernels give less than others, and nobody is to be woken for it.
            let is_up = probe.state != UNAVAILABLE;
            self.probe_up.get_or_create(&name).set(is_up.into());
        }
    }

    /// A window ended with this result.
    pub(super) fn ended(&self, result: &RunResult) {
        let ending = if result.state == state::FINISHED {
            FINISHED
        } else {
            INTERRUPTED
        };
        self.windows
            .get_or_create(&EndingLabels { result: ending })
            .inc();
        for finding in &result.findings {
            let check = causes::check(&finding.check);
            let severities = Severity::ALL.map(Severity::as_str);
            let severity = severities.into_iter().find(|one| *one == finding.severity);
            if let (Some(check), Some(severity)) = (check, severity) {
                let check = check.name;
                self.findings
                    .get_or_create(&FindingLabels { check, severity })
                    .inc();
            }
        }
    }
}
