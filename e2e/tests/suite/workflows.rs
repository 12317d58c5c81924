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
    assert_eq!(calls, 3);
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

/// A step's actions and its job's container, each with the job.
fn foreign_code() -> Vec<(String, String)> {
    let of_job = |(job, content): (String, Value)| {
        let steps = list(&content["steps"]);
        let actions = steps.iter().map(|step| step["uses"].clone());
        let all = actions.chain([content["container"]["image"].clone()]);
        let words = all.filter_map(|one| one.as_str().map(str::to_owned));
        words.map(|one| (job.clone(), one)).collect::<Vec<_>>()
    };
    jobs().into_iter().flat_map(of_job).collect()
}

#[test]
fn code_of_others_is_named_by_its_digest() {
    let digest = |text: &str, length| {
        let is_hex = text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        text.len() == length && is_hex
    };
    let all = foreign_code();
    assert_eq!(all.len(), 7, "{all:?}");
    for (job, one) in all {
        let (name, version) = one.split_once('@').unwrap_or((&one, ""));
        let of_action = name.starts_with("actions/") && digest(version, 40);
        let of_image = version
            .strip_prefix("sha256:")
            .is_some_and(|sum| digest(sum, 64));
        assert!(of_action || of_image, "{job}: {one}");
    }
    // Readers and updating tools take the version from the comment.
    for entry in fs::read_dir(FOLDER).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            assert!(line.contains(" # v"), "{line}");
        }
    }
}

#[test]
fn jobs_write_only_what_they_name() {
    let mut writes = Vec::new();
    for (file, workflow) in workflows() {
        let permissions = serde_json::json!({ "contents": "read" });
        assert_eq!(workflow["permissions"], permissions, "{file}");
    }
    for (job, content) in jobs() {
        assert!(content["timeout-minutes"].is_number(), "{job}");
        let permissions = content["permissions"].as_object().cloned();
        writes.extend(permissions.map(|_| job.clone()));
        for step in list(&content["steps"]) {
            let is_checkout = |action: &str| action.starts_with("actions/checkout@");
            if step["uses"].as_str().is_some_and(is_checkout) {
                assert_eq!(step["with"]["persist-credentials"], false, "{job}");
            }
        }
    }
    assert_eq!(writes, ["release.yml: dist"]);
}

/// Titles and branch names of others must not become part of a command.
#[test]
fn commands_have_only_words_of_the_workflow() {
    for (job, content) in jobs() {
        for step in list(&content["steps"]) {
            let command = step["run"].as_str().unwrap_or_default();
            for expression in command.split("${{").skip(1) {
                let expression = expression.trim_start();
                let is_own = ["matrix.suites", "needs.suites.result"]
                    .iter()
                    .any(|own| expression.starts_with(own));
                assert!(is_own, "{job}: {command}");
            }
        }
    }
}

/// The tag of a release is the only thing that starts a job which may write.
#[test]
fn only_a_tag_makes_a_release() {
    let release = workflows()
        .into_iter()
        .find(|(file, _)| file == "release.yml");
    let (_, release) = release.unwrap();
    let on = serde_json::json!({ "push": { "tags": ["v*"] } });
    assert_eq!(release["on"], on);
    let steps = list(&release["jobs"]["dist"]["steps"]);
    let place = |begin: &str| {
        let is_it = |step: &Value| {
            let words = ["run", "uses"].map(|key| step[key].as_str().unwrap_or_default());
            words.iter().any(|word| word.starts_with(begin))
        };
        steps.iter().position(is_it).unwrap()
    };
    let dist = place("cargo xtask dist");
    let signed = place("actions/attest-build-provenance@");
    assert!(dist < signed && signed < place("cargo xtask publish"));
}
