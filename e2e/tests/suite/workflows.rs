//! The workflows of the repository's host: they call xtask and nothing else, with suites that there are.

use std::fs;
use std::path::Path;

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/workflows");
/// The one step that is no command of xtask: it installs what `cargo xtask` needs.
const PREPARATION: &str = "Install what the README asks for";

fn workflows() -> Vec<(String, Value)> {
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, serde_yaml::from_str(&text).unwrap())
    };
    let entries = fs::read_dir(Path::new(FOLDER)).unwrap();
    entries.map(|entry| read(entry.unwrap())).collect()
}

/// Every job of every workflow.
fn jobs() -> Vec<(String, Value)> {
    let workflows = workflows();
    let jobs = workflows.iter().flat_map(|(file, workflow)| {
        let jobs = workflow["jobs"].as_object().unwrap().clone();
        jobs.into_iter()
            .map(move |(job, content)| (format!("{file}: {job}"), content))
    });
    jobs.collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[test]
fn workflows_call_xtask_and_nothing_else() {
    let mut calls = 0;
    for (job, content) in jobs() {
        for step in list(&content["steps"]) {
            let Some(command) = step["run"].as_str() else {
                continue;
            };
            if command.starts_with("cargo xtask ") && command.lines().count() == 1 {
                calls += 1;
            } else {
                let is_gate = command == r#"test "${{ needs.suites.result }}" = success"#;
                assert!(step["name"] == PREPARATION || is_gate, "{job}: {command}");
            }
        }
    }
    assert_eq!(calls, 2);
}

#[test]
fn ci_runs_every_suite_of_a_full_test() {
    let contributing = include_str!("../../../CONTRIBUTING.md");
    let row = contributing
        .lines()
        .find(|line| line.starts_with("| `cargo xtask test live`"))
        .unwrap();
    let named: Vec<&str> = row.split('`').skip(3).step_by(2).collect();
    let matrix: Vec<String> = jobs()
        .into_iter()
        .flat_map(|(_, job)| list(&job["strategy"]["matrix"]["suites"]))
        .flat_map(|suites| {
            let words: Vec<String> = suites
                .as_str()
                .unwrap()
                .split(' ')
                .map(str::to_owned)
                .collect();
            words
        })
        .collect();
    assert!(
        matrix.iter().all(|suite| named.contains(&suite.as_str())),
        "{matrix:?} {named:?}"
    );
    // Sixteen minutes, and only before a release.
    let missing =
        |suite: &&&str| !matrix.iter().any(|run| run == **suite) && **suite != "dockerfile";
    let suites = named.iter().filter(|word| !word.contains('-'));
    let missing: Vec<_> = suites.filter(missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn jobs_write_only_what_they_name() {
    for (file, workflow) in workflows() {
        assert_eq!(workflow["permissions"]["contents"], "read", "{file}");
    }
    for (job, content) in jobs() {
        for step in list(&content["steps"]) {
            if let Some(action) = step["uses"].as_str() {
                let from_github = action.starts_with("actions/") && action.contains("@v");
                assert!(from_github, "{job}: {action}");
            }
        }
    }
}
