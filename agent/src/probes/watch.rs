//! A probe on the path of every packet: attached while a question needs it, and detached when the question is over.

use std::time::{Duration, Instant};

use netdiag_diagnosis::{EvidenceWindow, evidence::OnDemand};

use super::{
    kernel::Kernel,
    on_demand::{OnDemandProbe, RegisteredProbe},
    question::{Demand, Question as _, Rise, WindowStart},
    turn::wait_for_turn,
};
use crate::causes::causes;

/// The time for which a probe stays attached after its question was last asked. Counters that rise in bursts, and
/// namespaces that are looked at in turn, would otherwise attach and detach it all the time.
const QUIET: Duration = Duration::from_secs(10);

/// The watch of some probe, as the collector drives it.
pub(crate) trait ProbeWatch {
    /// Tells which counters rose as of `now`, about once a second; see [`DemandWatch::update`].
    fn tick(&mut self, rises: &[Rise], kernel: &Kernel, now: Duration);

    /// Detaches the probe and adds to the window what it saw on the window's links.
    fn finish(self: Box<Self>, now: Duration, window: &mut EvidenceWindow);
}

/// A probe within a window, or the reason why there is none. Times are those since the window began.
pub(super) struct DemandWatch<P: OnDemandProbe> {
    question: P::Question,
    state: WatchState<P>,
    last_asked: Duration,
}

enum WatchState<P> {
    /// Nobody asked so far.
    Idle { reason: String },
    /// It was attached; `detached` says that it is no more.
    Ran {
        probe: P,
        question: String,
        from: Duration,
        detached: Option<Duration>,
    },
    /// Somebody asked, and it cannot be attached.
    Unavailable { reason: String },
}

impl<P: RegisteredProbe> ProbeWatch for DemandWatch<P> {
    fn tick(&mut self, rises: &[Rise], kernel: &Kernel, now: Duration) {
        let need = self.question.after(rises);
        self.update(need, kernel, now);
    }

    fn finish(self: Box<Self>, now: Duration, window: &mut EvidenceWindow) {
        *P::evidence_mut(window) = (*self).finish(now, window);
    }
}

impl<P: OnDemandProbe> DemandWatch<P> {
    /// Nothing is attached, and nobody asked so far.
    pub(super) fn new(start: &WindowStart<'_>) -> Self {
        Self {
            question: P::Question::of(start),
            state: WatchState::Idle {
                reason: "the window ended before anything was read".to_owned(),
            },
            last_asked: Duration::ZERO,
        }
    }

    /// Tells what is needed as of `now`, about once a second: attaches the probe for a question, and detaches it when
    /// nobody has asked for a while. A probe that could not be attached is not tried again in this window.
    fn update(&mut self, need: Demand, kernel: &Kernel, now: Duration) {
        if matches!(need, Demand::Question(_)) {
            self.last_asked = now;
        }
        match (&mut self.state, need) {
            (WatchState::Idle { reason }, Demand::None(why)) => *reason = why,
            (WatchState::Idle { .. }, Demand::Question(question)) => {
                let asked = Instant::now();
                let turn = wait_for_turn();
                let attached = P::attach(kernel);
                drop(turn);
                // On a busy node that takes a while, in which it saw nothing.
                let from = now.saturating_add(asked.elapsed());
                self.state = match attached {
                    Ok(probe) => {
                        tracing::debug!(question, "Attached a probe");
                        WatchState::Ran {
                            probe,
                            question,
                            from,
                            detached: None,
                        }
                    }
                    Err(error) => WatchState::Unavailable {
                        reason: causes(&error),
                    },
                };
            }
            (
                WatchState::Ran {
                    probe, detached, ..
                },
                need,
            ) => {
                let asked = matches!(need, Demand::Question(_));
                if detached.is_some() && asked {
                    match probe.resume() {
                        Ok(()) => *detached = None,
                        Err(error) => {
                            let error: &dyn std::error::Error = &error;
                            tracing::debug!(error, "Failed to attach a probe again");
                        }
                    }
                } else if detached.is_none() && now.saturating_sub(self.last_asked) >= QUIET {
                    probe.detach();
                    *detached = Some(now);
                }
            }
            (WatchState::Unavailable { .. }, _) => {}
        }
    }

    /// Detaches the probe and tells what it saw on the window's links.
    fn finish(self, now: Duration, window: &EvidenceWindow) -> OnDemand<P::Evidence> {
        match self.state {
            WatchState::Idle { reason } => OnDemand::Idle { reason },
            WatchState::Unavailable { reason } => OnDemand::Unavailable { reason },
            WatchState::Ran {
                mut probe,
                question,
                from,
                detached,
            } => {
                if detached.is_none() {
                    probe.detach();
                }
                OnDemand::Ran {
                    question,
                    from_ms: milliseconds(from),
                    until_ms: milliseconds(detached.unwrap_or(now)),
                    value: probe.finish(&window.namespaces, window.links()),
                }
            }
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::{Link, Namespace};

    use super::*;
    use crate::probes::{error::Error, question::Question};

    struct Whatever;

    impl Question for Whatever {
        fn of(_: &WindowStart<'_>) -> Self {
            Self
        }

        fn after(&self, _: &[Rise]) -> Demand {
            none()
        }
    }

    /// Remembers what was done to it.
    #[derive(Default)]
    struct Noted(Vec<&'static str>);

    impl OnDemandProbe for Noted {
        type Evidence = Vec<&'static str>;
        type Question = Whatever;

        fn attach(_: &Kernel) -> Result<Self, Error> {
            Ok(Self(vec!["attach"]))
        }

        fn resume(&mut self) -> Result<(), Error> {
            self.0.push("resume");
            Ok(())
        }

        fn detach(&mut self) {
            self.0.push("detach");
        }

        fn finish(self, _: &[Namespace], _: &[Link]) -> Self::Evidence {
            self.0
        }
    }

    /// A probe that this kernel refuses.
    struct Refused;

    impl OnDemandProbe for Refused {
        type Evidence = ();
        type Question = Whatever;

        fn attach(_: &Kernel) -> Result<Self, Error> {
            Err(Error::Unsupported {
                reason: "no tracepoint".to_owned(),
            })
        }

        fn resume(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn detach(&mut self) {}

        fn finish(self, _: &[Namespace], _: &[Link]) {}
    }

    fn question() -> Demand {
        Demand::Question("why?".to_owned())
    }

    fn none() -> Demand {
        Demand::None("all is well".to_owned())
    }

    /// The evidence of a window in which these were needed, by the second.
    fn window<P: OnDemandProbe>(needs: Vec<(u64, Demand)>, end: u64) -> OnDemand<P::Evidence> {
        let kernel = Kernel::load();
        let mut watch = DemandWatch::<P>::new(&WindowStart::default());
        for (second, need) in needs {
            watch.update(need, &kernel, Duration::from_secs(second));
        }
        watch.finish(Duration::from_secs(end), &EvidenceWindow::default())
    }

    #[test]
    fn without_a_question_nothing_is_attached_and_the_reason_is_told() {
        let reason = "all is well".to_owned();
        let seen = window::<Noted>(vec![(0, none()), (1, none())], 2);
        assert_eq!(seen, OnDemand::Idle { reason });
    }

    #[test]
    fn it_is_attached_from_the_question_to_the_end() {
        let seen = window::<Noted>(vec![(0, none()), (1, question()), (2, question())], 3);
        assert_eq!(
            seen,
            OnDemand::Ran {
                question: "why?".to_owned(),
                from_ms: 1_000,
                until_ms: 3_000,
                value: vec!["attach", "detach"],
            }
        );
    }

    #[test]
    fn it_is_detached_when_nobody_has_asked_for_a_while() {
        let needs = vec![(1, question()), (5, none()), (11, none()), (12, none())];
        let seen = window::<Noted>(needs, 35);
        let OnDemand::Ran {
            until_ms, value, ..
        } = seen
        else {
            panic!("{seen:?}");
        };
        assert_eq!(until_ms, 11_000);
        assert_eq!(value, ["attach", "detach"]);
    }

    #[test]
    fn a_question_that_comes_back_attaches_it_again() {
        let needs = vec![(1, question()), (20, none()), (21, question())];
        let seen = window::<Noted>(needs, 22);
        assert_eq!(
            seen.value(),
            Some(&vec!["attach", "detach", "resume", "detach"])
        );
    }

    #[test]
    fn a_probe_that_cannot_be_attached_says_why() {
        let seen = window::<Refused>(vec![(0, question()), (1, question())], 2);
        assert_eq!(seen.missing(), Some("no tracepoint"));
    }
}
