//! Spreads the scenarios over boots, some side by side, and puts together what each kernel showed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::exchange::Exchange;
use super::machine::{Ended, Guest};
use super::results::{Results, Verdict};
use super::run::Run;
use super::{Kernel, Outcome, Plan};
use crate::slow;

/// Guests side by side. Each emulates one processor, and sleeps through most of a window.
const AT_ONCE: usize = 4;
/// Scenarios of one boot: enough that booting is a small part, few enough that all guests stay busy until the end.
const PER_BOOT: usize = 7;

/// Scenarios that wait for a boot of their kernel.
struct Waiting {
    kernel: Kernel,
    scenarios: Vec<String>,
    /// It is the second try for these.
    again: bool,
}

/// The state that is shared between the threads that boot guests.
struct State {
    waiting: VecDeque<Waiting>,
    outcomes: Vec<Outcome>,
    boots: usize,
}

impl Run<'_> {
    /// Runs what is planned; the outcomes in the order of the plan's kernels. A failure ends neither the other scenarios
    /// nor the other kernels.
    pub fn all(&self, plan: &Plan) -> Result<Vec<Outcome>> {
        let outcomes = plan.iter().map(|(kernel, _)| self.nothing_yet(*kernel));
        let state = Mutex::new(State {
            waiting: spread(plan),
            outcomes: outcomes.collect::<Result<_>>()?,
            boots: 0,
        });
        thread::scope(|scope| {
            let at_once = if slow::is_on() { 1 } else { AT_ONCE };
            let workers: Vec<_> = (0..at_once)
                .map(|_| scope.spawn(|| self.work(&state)))
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| match worker.join() {
                    Ok(worked) => worked,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
        })?;
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut outcomes = state.outcomes;
        for (outcome, (_, scenarios)) in outcomes.iter_mut().zip(plan) {
            for name in scenarios {
                outcome
                    .results
                    .add_missing(name, "no guest got to it in time");
            }
        }
        Ok(outcomes)
    }

    fn nothing_yet(&self, kernel: Kernel) -> Result<Outcome> {
        Ok(Outcome {
            kernel,
            release: self.images.release(kernel)?,
            results: Results::default(),
            recordings: Vec::new(),
            took: Duration::ZERO,
            note: String::new(),
        })
    }

    /// Boots guests until nothing waits or the time is over.
    fn work(&self, state: &Mutex<State>) -> Result<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let (next, boot) = {
                let mut state = lock(state);
                let Some(next) = state.waiting.pop_front() else {
                    return Ok(());
                };
                state.boots += 1;
                let boot = format!("{} {}", next.kernel, state.boots);
                (next, boot)
            };
            if left.is_zero() {
                note(state, next.kernel, "over the limit of all guests");
                return Ok(());
            }
            let (ended, recordings) = self.boot(&next, &boot, left)?;
            put(state, &next, ended, recordings);
        }
    }

    fn boot(&self, next: &Waiting, boot: &str, left: Duration) -> Result<(Ended, PathBuf)> {
        let exchange = Exchange::make(self.workspace, self.folder, boot, &next.scenarios)?;
        let guest = Guest {
            run: self,
            kernel: next.kernel,
            name: boot,
            exchange: &exchange.image,
            scenarios: next.scenarios.len(),
            left,
        };
        let ended = guest.boot()?;
        let recordings = exchange.recordings(self.workspace)?;
        Ok((ended, recordings))
    }
}

/// Equal shares of each kernel's scenarios, the kernels in turn, so that all end at about the same time.
fn spread(plan: &Plan) -> VecDeque<Waiting> {
    let boots_of = |scenarios: &[String]| scenarios.len().div_ceil(PER_BOOT);
    let most = plan.iter().map(|(_, scenarios)| boots_of(scenarios)).max();
    let in_turn = (0..most.unwrap_or_default())
        .flat_map(|boot| plan.iter().map(move |planned| (boot, planned)))
        .filter(|(boot, (_, scenarios))| *boot < boots_of(scenarios));
    in_turn
        .map(|(boot, (kernel, scenarios))| Waiting {
            kernel: *kernel,
            scenarios: {
                let share = scenarios.iter().skip(boot).step_by(boots_of(scenarios));
                share.cloned().collect()
            },
            again: false,
        })
        .collect()
}

/// Books what a boot showed. What failed in it, or what a guest that died did not get to the end of, waits for another
/// boot, once: emulated processors are late or die now and then. The note names what passed only then.
fn put(state: &Mutex<State>, booted: &Waiting, ended: Ended, recordings: PathBuf) {
    let complete = ended.results.complete;
    let end = ended.end();
    let dead_in_ebpf = ended.died_in_ebpf();
    let retry = !booted.again && !ended.over_limit;
    let mut state = lock(state);
    let Some(outcome) = of(&mut state.outcomes, booted.kernel) else {
        return;
    };
    outcome.took += ended.took;
    outcome.recordings.push(recordings);
    let first_tries = first_tries(outcome, &booted.scenarios);
    outcome.results.add(ended.results);
    note_second_tries(outcome, &first_tries);
    if !complete {
        let remark = match retry {
            true => format!("booted again: {end}"),
            false => end.clone(),
        };
        add_note(outcome, &remark);
    }
    // The scenario in which an eBPF program killed the kernel has shown a fault of the agent; emulation kills anywhere.
    let deserves_another = |name: &&String| match outcome.results.scenario(name) {
        Some(one) if one.ended => one.verdict == Verdict::Failed,
        Some(_) => !dead_in_ebpf,
        None => true,
    };
    let again = booted.scenarios.iter();
    let again = again.filter(|name| retry && deserves_another(name));
    let again: Vec<String> = again.cloned().collect();
    for one in again
        .iter()
        .filter_map(|name| outcome.results.scenario(name))
    {
        eprintln!(
            "--- {} on {}, which is tried once more\n{}",
            one.name, outcome.release, one.output
        );
    }
    let final_ones = booted
        .scenarios
        .iter()
        .filter(|&name| !again.contains(name));
    for name in final_ones {
        outcome.results.add_missing(name, &end);
    }
    if !again.is_empty() {
        state.waiting.push_back(Waiting {
            kernel: booted.kernel,
            scenarios: again,
            again: true,
        });
    }
}

/// Those of these scenarios that have failed before, and where.
fn first_tries(outcome: &Outcome, scenarios: &[String]) -> Vec<(String, String)> {
    let tried = scenarios.iter().filter_map(|name| {
        let first = outcome.results.scenario(name)?;
        let place = |line: &str| Some(line.split_once(" panicked at ")?.1.to_owned());
        let failed_at = first.output.lines().find_map(place);
        let how = failed_at.unwrap_or_else(|| "it did not end".to_owned());
        Some((name.clone(), how.trim_end_matches(':').to_owned()))
    });
    tried.collect()
}

fn note_second_tries(outcome: &mut Outcome, first_tries: &[(String, String)]) {
    let passed =
        |(name, _): &&(String, String)| outcome.results.verdict(name) == Some(&Verdict::Passed);
    let passed = first_tries.iter().filter(passed);
    let passed: Vec<String> = passed
        .map(|(name, first)| format!("{name} (first: {first})"))
        .collect();
    if !passed.is_empty() {
        let remark = format!("passed at the second try: {}", passed.join(", "));
        add_note(outcome, &remark);
    }
}

fn note(state: &Mutex<State>, kernel: Kernel, remark: &str) {
    if let Some(outcome) = of(&mut lock(state).outcomes, kernel) {
        add_note(outcome, remark);
    }
}

fn add_note(outcome: &mut Outcome, remark: &str) {
    if !outcome.note.is_empty() {
        outcome.note.push_str("; ");
    }
    outcome.note.push_str(remark);
}

fn of(outcomes: &mut [Outcome], kernel: Kernel) -> Option<&mut Outcome> {
    outcomes.iter_mut().find(|outcome| outcome.kernel == kernel)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::machine::Death;
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("s{number}")).collect()
    }

    fn state(kernel: Kernel) -> Mutex<State> {
        Mutex::new(State {
            waiting: VecDeque::new(),
            outcomes: vec![Outcome {
                kernel,
                release: String::new(),
                results: Results::default(),
                recordings: Vec::new(),
                took: Duration::ZERO,
                note: String::new(),
            }],
            boots: 0,
        })
    }

    fn ended(text: &str, in_ebpf: bool) -> Ended {
        Ended {
            results: Results::read(text),
            took: Duration::from_secs(1),
            over_limit: false,
            limit: Duration::from_secs(60),
            death: Some(Death {
                message: "Oops".to_owned(),
                in_ebpf,
            }),
        }
    }

    fn booted(again: bool) -> Waiting {
        Waiting {
            kernel: Kernel::V6_1,
            scenarios: names(3),
            again,
        }
    }

    const DIED_IN_S1: &str = "test kernels::s0 ... ok\ntest kernels::s1 ... ";

    #[test]
    fn each_kernel_runs_each_scenario_once_in_boots_of_about_one_size() {
        let plan = vec![
            (Kernel::V5_10, names(2 * PER_BOOT + 1)),
            (Kernel::V6_1, names(PER_BOOT)),
            (Kernel::V6_12, Vec::new()),
        ];
        let boots = spread(&plan);
        for (kernel, mut wanted) in plan {
            let of_kernel = boots.iter().filter(|boot| boot.kernel == kernel);
            let mut all: Vec<_> = of_kernel.flat_map(|boot| boot.scenarios.clone()).collect();
            all.sort();
            wanted.sort();
            assert_eq!(all, wanted);
        }
        let mut sizes = boots.iter().map(|boot| boot.scenarios.len());
        assert!(sizes.all(|size| (PER_BOOT / 2..=PER_BOOT).contains(&size)));
        let kernels: Vec<_> = boots.iter().map(|boot| boot.kernel).collect();
        let (old, new) = (Kernel::V5_10, Kernel::V6_1);
        assert_eq!(kernels, [old, new, old, old], "the kernels in turn");
    }

    #[test]
    fn after_a_death_of_emulation_only_what_had_not_ended_runs_again() {
        let state = state(Kernel::V6_1);
        put(
            &state,
            &booted(false),
            ended(DIED_IN_S1, false),
            "/r".into(),
        );
        let waiting = lock(&state).waiting.pop_front().unwrap();
        assert_eq!(waiting.scenarios, ["s1", "s2"]);
        assert!(waiting.again);
        put(
            &state,
            &waiting,
            ended("test kernels::s1 ... ok\n", false),
            "/r".into(),
        );
        let mut state = lock(&state);
        assert!(state.waiting.is_empty(), "a third boot hides a fault");
        let results = &mut state.outcomes[0].results;
        let failed: Vec<_> = results.failed().map(|one| one.name.as_str()).collect();
        assert_eq!(failed, ["s2"]);
    }

    #[test]
    fn a_scenario_that_fails_is_tried_once_more_and_named() {
        let state = state(Kernel::V6_1);
        let run = "test kernels::s0 ... ok\ntest kernels::s1 ... FAILED\ntest kernels::s2 ... FAILED\n\
            ---- kernels::s1 stdout ----\nthread 's1' (7) panicked at s.rs:16:5:\nexit=101\n";
        put(&state, &booted(false), ended(run, false), "/r".into());
        let waiting = lock(&state).waiting.pop_front().unwrap();
        assert_eq!(waiting.scenarios, ["s1", "s2"]);
        let run = "test kernels::s1 ... ok\ntest kernels::s2 ... FAILED\nexit=101\n";
        put(&state, &waiting, ended(run, false), "/r".into());
        let state = lock(&state);
        assert!(state.waiting.is_empty(), "a third try hides a fault");
        let outcome = &state.outcomes[0];
        assert_eq!(
            outcome.note,
            "passed at the second try: s1 (first: s.rs:16:5)"
        );
        let failed: Vec<_> = outcome.results.failed().map(|one| &one.name).collect();
        assert_eq!(failed, ["s2"]);
        assert_eq!(outcome.results.scenarios.len(), 3);
    }

    #[test]
    fn a_scenario_that_an_ebpf_program_ended_is_no_accident() {
        let state = state(Kernel::V6_1);
        put(&state, &booted(false), ended(DIED_IN_S1, true), "/r".into());
        let mut state = lock(&state);
        assert_eq!(state.waiting.pop_front().unwrap().scenarios, ["s2"]);
        let failed: Vec<_> = state.outcomes[0].results.failed().collect();
        assert_eq!(failed.len(), 1);
        assert!(failed[0].output.contains("eBPF"), "{failed:?}");
    }
}
