//! The state of a probe in a window, as a report has it.

use netdiag_crds::report::Probe;
use netdiag_diagnosis::evidence::{Observed, OnDemand};

/// It reads.
pub(crate) const ATTACHED: &str = "Attached";
/// It could read, and nobody asks.
pub(crate) const IDLE: &str = "Idle";
/// It reads less than it could.
pub(crate) const DEGRADED: &str = "Degraded";
/// It could not read.
pub(crate) const UNAVAILABLE: &str = "Unavailable";

/// A probe that reads in every window, by `backend`.
pub(crate) fn in_every_window<T>(
    name: &str,
    backend: Option<&str>,
    evidence: &Observed<T>,
) -> Probe {
    let state = match evidence {
        Observed::Complete { .. } => ATTACHED,
        Observed::Partial { .. } => DEGRADED,
        Observed::Unavailable { .. } => UNAVAILABLE,
    };
    Probe {
        name: name.to_owned(),
        state: state.to_owned(),
        backend: backend.filter(|_| state != UNAVAILABLE).map(str::to_owned),
        reason: evidence.missing().map(str::to_owned),
    }
}

/// A probe that only a question attaches: it is idle without one, and says which it was and for how long.
pub(crate) fn on_demand<T>(
    name: &str,
    backend: impl Fn(&T) -> &str,
    evidence: &OnDemand<T>,
) -> Probe {
    let (state, reason) = match evidence {
        OnDemand::Idle { reason } => (IDLE, reason.clone()),
        OnDemand::Unavailable { reason } => (UNAVAILABLE, reason.clone()),
        OnDemand::Ran {
            question,
            from_ms,
            until_ms,
            ..
        } => {
            let seconds = until_ms.saturating_sub(*from_ms).div_ceil(1_000);
            (ATTACHED, format!("for {seconds} s, because {question}"))
        }
    };
    Probe {
        name: name.to_owned(),
        state: state.to_owned(),
        backend: evidence.value().map(|value| backend(value).to_owned()),
        reason: Some(reason),
    }
}
