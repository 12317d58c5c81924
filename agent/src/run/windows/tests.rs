//! Windows whose work fails. Only a test moves time.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use k8s_openapi::jiff::Timestamp;
use netdiag_crds::report::{RunResult, state};
use netdiag_diagnosis::Settings;
use tokio::time::{advance, timeout};

use super::*;
use crate::collect::Request;

/// Work by the name of the diagnosis: `panics`, `flaky` panics a few times, `hangs` before or after it began to conclude,
/// `waits` until it is stopped, or ends at once.
#[derive(Default)]
pub(in crate::run) struct Faulty {
    /// The owners of the windows that were begun.
    begun: Mutex<Vec<RunKey>>,
    /// The windows of `flaky` that will panic.
    pub panics_left: AtomicUsize,
    /// Lets threads that hang end.
    pub end: Stop,
}

impl Faulty {
    fn begun(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    /// The number of windows of a diagnosis that were begun.
    pub(in crate::run) fn begun_of(&self, name: &str) -> usize {
        let begun = self.begun.lock().unwrap();
        begun.iter().filter(|key| key.name == name).count()
    }
}

impl Work for Faulty {
    fn run(
        &self,
        order: &Order,
        stop: &Stop,
        reached: &mut dyn FnMut(Stage),
    ) -> Result<Option<Outcome>, Refusal> {
        self.begun.lock().unwrap().push(order.key.clone());
        let for_ever = Duration::from_secs(3600);
        match order.key.name.as_str() {
            "hangs-early" => {
                self.end.wait(for_ever);
            }
            "waits" => {
                stop.wait(for_ever);
                return Ok(None);
            }
            _ => {}
        }
        reached(Stage::Counting {
            start_unix_ms: Timestamp::now().as_millisecond(),
        });
        reached(Stage::Concluding);
        let less = |left: usize| left.checked_sub(1);
        match order.key.name.as_str() {
            "flaky" => {
                let left = self
                    .panics_left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
                assert!(left.is_err(), "it panics");
            }
            "panics" => panic!("index out of bounds \u{1b}[31m"),
            "hangs" => {
                self.end.wait(for_ever);
            }
            "full" => return Err(Refusal::HungThreads(9)),
            _ => {}
        }
        let result = RunResult {
            diagnosis: order.key.name.clone(),
            diagnosis_uid: Some(order.key.uid.clone()),
            run_generation: order.key.generation,
            state: state::FINISHED.to_owned(),
            ..RunResult::default()
        };
        Ok(Some(Outcome {
            result,
            ..Outcome::default()
        }))
    }
}

/// Threads that hang would keep the runtime from ending.
struct Ends(Stop);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.set();
    }
}

fn windows() -> (Windows, Arc<Faulty>, Ends) {
    let work = Arc::new(Faulty::default());
    let ends = Ends(work.end.clone());
    (Windows::new(work.clone()), work, ends)
}

fn order(name: &str, generation: i64) -> Order {
    let wanted = Wanted {
        settings: Settings::default(),
        unchecked: Vec::new(),
    };
    Order {
        key: RunKey {
            name: name.to_owned(),
            uid: "u".to_owned(),
            generation,
        },
        attempts: 1,
        request: Request {
            node: "n".to_owned(),
            host_root: PathBuf::from("/"),
            duration: Duration::from_secs(35),
            pods: true,
        },
        wanted: Arc::new(Mutex::new(wanted)),
    }
}

/// The next window that ends.
async fn next_end(windows: &mut Windows) -> Ended {
    loop {
        if let Event::Ended(ended) = windows.next().await {
            return *ended;
        }
    }
}

/// The next window that ends while time goes on.
async fn next_end_in_time(windows: &mut Windows) -> Ended {
    loop {
        tokio::select! {
            biased;
            ended = next_end(windows) => return ended,
            () = advance(LONGEST_DIAGNOSIS) => {}
        }
    }
}

/// Waits until a window counts.
async fn begun(windows: &mut Windows) -> RunKey {
    loop {
        if let Event::Begun(Begun { key, .. }) = windows.next().await {
            return key;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_window_and_is_told_without_control_characters() {
    let (mut windows, _, _ends) = windows();
    windows.start(order("panics", 1));
    let ended = next_end(&mut windows).await;
    let why = ended.outcome.unwrap_err();
    assert_eq!(
        why,
        NoOutcome::Panicked {
            said: r"index out of bounds \u{1b}[31m".to_owned()
        }
    );
    windows.start(order("healthy", 1));
    let ended = next_end(&mut windows).await;
    assert_eq!(ended.outcome.unwrap().result.diagnosis, "healthy");
    assert!(windows.keys().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_window_that_hangs_is_given_up_at_its_deadline_and_others_go_on() {
    let (mut windows, _, _ends) = windows();
    windows.start(order("hangs", 1));
    assert_eq!(begun(&mut windows).await.name, "hangs");
    windows.start(order("healthy", 1));
    assert_eq!(next_end(&mut windows).await.key.name, "healthy");
    let early = timeout(LONGEST_DIAGNOSIS / 2, next_end(&mut windows));
    let moved = advance(LONGEST_DIAGNOSIS / 2);
    assert!(
        tokio::join!(early, moved).0.is_err(),
        "not before its deadline"
    );
    let ended = next_end_in_time(&mut windows).await;
    assert_eq!(ended.key.name, "hangs");
    let why = ended.outcome.unwrap_err();
    assert!(matches!(why, NoOutcome::Hung { .. }), "{why}");
    assert!(windows.keys().is_empty());
    windows.start(order("healthy", 2));
    assert_eq!(next_end(&mut windows).await.key.generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_never_counts_has_its_length_and_more() {
    let (mut windows, _, _ends) = windows();
    windows.start(order("hangs-early", 1));
    advance(LONGEST_COLLECTION + Duration::from_secs(36)).await;
    let ended = next_end(&mut windows).await;
    assert!(matches!(ended.outcome, Err(NoOutcome::Hung { .. })));
}

#[tokio::test(start_paused = true)]
async fn only_a_few_threads_may_hang_and_windows_are_begun_again_when_they_end() {
    let (mut windows, work, ends) = windows();
    for generation in 1..=3 {
        assert!(windows.can_begin());
        windows.start(order("hangs", generation));
        assert_eq!(begun(&mut windows).await.generation, generation);
        next_end_in_time(&mut windows).await;
    }
    assert!(!windows.can_begin());
    windows.start(order("healthy", 1));
    assert_eq!(windows.keys().len(), 1, "it is told of, not forgotten");
    let ended = next_end(&mut windows).await;
    assert_eq!(ended.outcome.unwrap_err(), Refusal::HungThreads(3).into());
    assert_eq!(work.begun(), 3);

    drop(ends);
    while !windows.can_begin() {
        let _ = timeout(Duration::from_millis(1), windows.next()).await;
    }
    windows.start(order("healthy", 2));
    assert_eq!(next_end(&mut windows).await.key.generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_queue_of_new_runs_piles_up_no_windows() {
    let (mut windows, work, _ends) = windows();
    windows.start(order("hangs", 1));
    begun(&mut windows).await;
    for generation in 2..=200 {
        let earlier = windows.keys();
        windows.stop(&earlier);
        windows.start(order("hangs", generation));
        assert_eq!(windows.keys().len(), 1);
    }
    assert_eq!(work.begun(), 1);
    // The first thread hangs though it was told to stop; the last run is begun when it is given up.
    while work.begun() < 2 {
        tokio::select! {
            biased;
            _ = windows.next() => {}
            () = advance(LONGEST_DIAGNOSIS) => {}
        }
    }
    assert_eq!(work.begun.lock().unwrap()[1].generation, 200);
}

#[tokio::test(start_paused = true)]
async fn no_more_threads_run_than_a_node_has_diagnoses() {
    let (mut windows, work, _ends) = windows();
    for number in 0..3 * ASSIGNMENTS {
        windows.start(order(&format!("healthy-{number}"), 1));
    }
    assert_eq!(windows.running.len(), ASSIGNMENTS);
    for _ in 0..3 * ASSIGNMENTS {
        next_end(&mut windows).await;
    }
    assert_eq!(work.begun(), 3 * ASSIGNMENTS);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_window_is_not_heard_of() {
    let (mut windows, _, _ends) = windows();
    windows.start(order("waits", 1));
    windows.stop(&[order("waits", 1).key]);
    assert!(windows.keys().is_empty() && !windows.is_beginning());
    windows.start(order("healthy", 1));
    assert_eq!(next_end(&mut windows).await.key.name, "healthy");
    windows.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_without_room_says_so() {
    let (mut windows, _, _ends) = windows();
    windows.start(order("full", 1));
    let ended = next_end(&mut windows).await;
    assert_eq!(ended.outcome.unwrap_err(), Refusal::HungThreads(9).into());
}
