//! The agent with windows that fail, and a server of the API in memory.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use netdiag_client::{
    bounded::Deadlines,
    testing::{REPORTS, Server},
};
use netdiag_crds::{NodeNetReportSpec, report::Mode, severity::Severity};
use netdiag_diagnosis::EvidenceWindow;
use prometheus_client::registry::Registry;

use super::*;
use crate::{
    probes::KernelFacts,
    run::{
        simulated::Simulation,
        windows::{Event, tests::Faulty},
    },
};

async fn agent() -> (Agent, Arc<Faulty>, Server) {
    let server = Server::start().await.unwrap();
    let client = server.client(Deadlines::default()).unwrap();
    let work = Arc::new(Faulty::default());
    let agent = Agent::new(
        Api::all(client),
        "n".to_owned(),
        PathBuf::from("/"),
        Metrics::new(&mut Registry::default()),
        Health::default(),
        About::new(&KernelFacts::default(), Vec::new()),
        work.clone(),
    );
    (agent, work, server)
}

fn assignment(name: &str, mode: Mode, run_generation: i64) -> Assignment {
    Assignment {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        run_generation,
        assigned_time: Time::from(Timestamp::UNIX_EPOCH),
        assigned_after_seconds: 0,
        checks: Vec::new(),
        interfaces: None,
        pods: true,
        min_severity: Severity::default(),
        mode,
        window_seconds: 3_600,
        spread_seconds: 0,
        suspend: false,
    }
}

fn assign(agent: &mut Agent, assignments: Vec<Assignment>) {
    let spec = NodeNetReportSpec {
        assignments,
        ..NodeNetReportSpec::default()
    };
    let mut report = NodeNetReport::new("n", spec);
    report.metadata.uid = Some("u".to_owned());
    let step = Step::Event(watcher::Event::Apply(DeserializeGuard(Ok(report))));
    agent.observe(step);
}

/// Takes in what windows say until all have ended.
async fn run_until_idle(agent: &mut Agent) {
    while !agent.windows.keys().is_empty() {
        match agent.windows.next().await {
            Event::Begun(begun) => agent.begun(&begun),
            Event::Ended(ended) => agent.ended(*ended),
        }
    }
}

/// The time of all windows so far is over.
fn let_an_interval_pass(agent: &mut Agent) {
    for window in agent.results.iter_mut().filter_map(|it| it.window.as_mut()) {
        window.start_time = Time::from(Timestamp::UNIX_EPOCH);
    }
    agent.tick();
}

fn result<'a>(agent: &'a Agent, name: &str) -> &'a RunResult {
    let mut results = agent.results.iter();
    results.find(|result| result.diagnosis == name).unwrap()
}

#[tokio::test]
async fn three_panics_in_a_row_end_a_continuous_run_until_it_runs_anew_and_no_other() {
    let (mut agent, work, _server) = agent().await;
    let panics = |generation| assignment("panics", Mode::Continuous, generation);
    let healthy = assignment("healthy", Mode::Once, 1);
    assign(&mut agent, vec![panics(1), healthy.clone()]);
    for windows in 1..=3 {
        run_until_idle(&mut agent).await;
        let failed = result(&agent, "panics");
        assert_eq!(failed.state, state::FAILED);
        let message = failed.message.as_deref().unwrap();
        assert!(message.contains("index out of bounds"), "{message}");
        assert_eq!(message.contains("spec.rerun"), windows == 3, "{message}");
        assert_eq!(work.begun_of("panics"), windows);
        assert_eq!(result(&agent, "healthy").state, state::FINISHED);
        let_an_interval_pass(&mut agent);
    }
    run_until_idle(&mut agent).await;
    assert_eq!(work.begun_of("panics"), 3, "none after the third");
    assert_eq!(work.begun_of("healthy"), 1);

    assign(&mut agent, vec![panics(2), healthy]);
    run_until_idle(&mut agent).await;
    assert_eq!(work.begun_of("panics"), 4);
}

#[tokio::test]
async fn a_window_that_works_again_ends_the_row() {
    let (mut agent, work, _server) = agent().await;
    work.panics_left
        .store(2, std::sync::atomic::Ordering::SeqCst);
    let mut flaky = assignment("flaky", Mode::Continuous, 1);
    assign(&mut agent, vec![flaky.clone()]);
    for windows in 1..=2 {
        assert_eq!(next_state(&mut agent).await, state::FAILED);
        assert_eq!(work.begun_of("flaky"), windows);
        let_an_interval_pass(&mut agent);
    }
    assert_eq!(next_state(&mut agent).await, state::FINISHED);
    // The next window of a continuous run begins at once.
    work.panics_left
        .store(1, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(agent.windows.keys().len(), 1);
    flaky.suspend = true;
    assign(&mut agent, vec![flaky]);
    assert!(agent.windows.keys().is_empty());
}

/// The state of the only diagnosis when its window has ended.
async fn next_state(agent: &mut Agent) -> String {
    loop {
        match agent.windows.next().await {
            Event::Begun(begun) => agent.begun(&begun),
            Event::Ended(ended) => {
                agent.ended(*ended);
                return agent.results[0].state.clone();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_fails_its_window_at_once_and_is_not_run_again() {
    let (mut agent, work, _server) = agent().await;
    let once = |name| assignment(name, Mode::Once, 1);
    assign(&mut agent, vec![once("hangs"), once("healthy")]);
    while result(&agent, "healthy").state != state::FINISHED {
        match agent.windows.next().await {
            Event::Begun(begun) => agent.begun(&begun),
            Event::Ended(ended) => agent.ended(*ended),
        }
    }
    assert_eq!(result(&agent, "hangs").state, state::RUNNING);
    while work.begun_of("hangs") == 0 {
        tokio::task::yield_now().await;
    }
    // The main loop is free while the thread hangs.
    assert!(agent.tick());
    while !agent.windows.keys().is_empty() {
        tokio::select! {
            biased;
            event = agent.windows.next() => match event {
                Event::Begun(begun) => agent.begun(&begun),
                Event::Ended(ended) => agent.ended(*ended),
            },
            () = tokio::time::advance(Duration::from_secs(60)) => {}
        }
    }
    let hung = result(&agent, "hangs");
    assert_eq!(hung.state, state::FAILED);
    assert!(hung.message.as_deref().unwrap().contains("given up"));
    assert!(
        agent.tick(),
        "one thread that hangs keeps no window from running"
    );
    assert_eq!(work.begun_of("hangs"), 1);
    work.end.set();
}

#[tokio::test]
async fn settings_that_cannot_be_used_fail_without_a_window() {
    let (mut agent, work, _server) = agent().await;
    let mut wrong = assignment("healthy", Mode::Once, 1);
    wrong.checks = vec!["QuantumDrop".to_owned()];
    assign(&mut agent, vec![wrong]);
    assert_eq!(result(&agent, "healthy").state, state::FAILED);
    assert_eq!(work.begun_of("healthy"), 0);
}

#[tokio::test]
async fn eight_windows_that_end_together_share_a_write() {
    let server = Server::start().await.unwrap();
    let client = server.client(Deadlines::default()).unwrap();
    let mut all: Vec<Assignment> = (0..8)
        .map(|number| assignment(&format!("d{number}"), Mode::Once, 1))
        .collect();
    for assignment in &mut all {
        assignment.window_seconds = 4;
    }
    let report = serde_json::json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
        "metadata": {"name": "n", "uid": "u", "generation": 1}, "spec": {"assignments": all},
    });
    server.put(REPORTS, "n", report);
    let agent = Simulation::of(EvidenceWindow::default()).work(client, "n".to_owned());
    let all_finished = async {
        let finished = || {
            let report = server.get(REPORTS, "n").unwrap_or_default();
            let results = report["status"]["results"].as_array().cloned();
            let results = results.unwrap_or_default();
            results.len() == 8 && results.iter().all(|result| result["state"] == "Finished")
        };
        while !finished() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = agent => {}
        () = all_finished => {}
    }
    let requests = server.requests();
    let writes = requests.iter().filter(|request| request.writes(REPORTS));
    // Two: that the windows run, and what they saw. A machine that starts threads late may need one or two more; one
    // for each window would be nine.
    let writes = writes.count();
    assert!((2..=4).contains(&writes), "{writes} writes");
}
