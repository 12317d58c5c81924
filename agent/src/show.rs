//! `show`: stored reports as the text that `diagnose` gives.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use netdiag_crds::{NodeNetReport, report::RunResult};
use netdiag_diagnosis::text::printable;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{ShowArgs, TextOutput},
    render,
    stdout::{print, style},
};

/// Largest input that is read: the reports of some thousand nodes.
const MAX_BYTES: u64 = 64 << 20;

/// Why nothing could be shown.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("failed to read {path:?}")]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to read {path:?}: it is larger than 64 MiB; show fewer reports at once")]
    TooLarge { path: PathBuf },
    #[error("failed to understand {path:?} as JSON")]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("failed to understand {path:?} as YAML")]
    Yaml {
        path: PathBuf,
        source: serde_yaml::Error,
    },
    #[error("failed to find a NodeNetReport in {path:?}: it holds {kind:?}")]
    Kind { path: PathBuf, kind: String },
    #[error("failed to understand a NodeNetReport in {path:?}")]
    Report {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("failed to find a result of diagnosis {diagnosis:?} in {path:?}")]
    Diagnosis { path: PathBuf, diagnosis: String },
    #[error("failed to write the result to stdout")]
    Output { source: io::Error },
}

/// Prints the reports of a file.
///
/// # Errors
/// When the file cannot be read or holds none, or the result cannot be printed.
pub fn run(args: ShowArgs) -> Result<(), Error> {
    let ShowArgs {
        file,
        diagnosis,
        output,
    } = args;
    let mut reports = reports(&read(&file)?, &file)?;
    if let Some(wanted) = diagnosis {
        for report in &mut reports {
            let results = report.status.as_mut().map(|status| &mut status.results);
            results
                .into_iter()
                .for_each(|results| results.retain(|result| result.diagnosis == wanted));
        }
        reports.retain(|report| results(report).next().is_some());
        if reports.is_empty() {
            return Err(Error::Diagnosis {
                path: file,
                diagnosis: wanted,
            });
        }
    }
    let style = style(output == TextOutput::Wide);
    for (index, report) in reports.iter().enumerate() {
        for result in results(report) {
            eprintln!("netdiag: {}", printable(&origin(report, result)));
        }
        let gap = if index == 0 { "" } else { "\n" };
        let text = format!("{gap}{}", render::render(report, style));
        print(&text).map_err(|source| Error::Output { source })?;
    }
    Ok(())
}

fn results(report: &NodeNetReport) -> impl Iterator<Item = &RunResult> {
    let status = report.status.iter();
    status.flat_map(|status| &status.results)
}

/// `diagnosis rx-dropped on node-17, a window of 35 s that ended at 2026-03-02T03:05:01Z`.
fn origin(report: &NodeNetReport, result: &RunResult) -> String {
    let node = report.metadata.name.as_deref().unwrap_or_default();
    let mut text = format!("diagnosis {} on {node}", result.diagnosis);
    if let Some(window) = &result.window {
        text.push_str(&format!(", a window of {} s", window.duration_seconds));
        match &window.end_time {
            Some(end) => text.push_str(&format!(" that ended at {}", end.0)),
            None => text.push_str(&format!(" that began at {}", window.start_time.0)),
        }
    }
    text
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let input: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    let mut bounded = input.take(MAX_BYTES + 1);
    let length = bounded.read_to_end(&mut bytes).map_err(failed)?;
    match u64::try_from(length) {
        Ok(..=MAX_BYTES) => Ok(bytes),
        _ => Err(Error::TooLarge {
            path: path.to_owned(),
        }),
    }
}

/// The reports in JSON or YAML: one, or a list as `kubectl get nnr -o yaml` gives it.
fn reports(bytes: &[u8], path: &Path) -> Result<Vec<NodeNetReport>, Error> {
    let path = || path.to_owned();
    let is_json = bytes.trim_ascii_start().starts_with(b"{");
    let value: Value = match is_json {
        true => serde_json::from_slice(bytes).map_err(|source| Error::Json {
            path: path(),
            source,
        })?,
        false => serde_yaml::from_slice(bytes).map_err(|source| Error::Yaml {
            path: path(),
            source,
        })?,
    };
    let items = match value.get("items").and_then(Value::as_array) {
        Some(items) => items.clone(),
        None => vec![value],
    };
    items
        .iter()
        .map(|item| {
            let kind = item.get("kind").and_then(Value::as_str);
            match kind {
                Some("NodeNetReport") => {
                    NodeNetReport::deserialize(item).map_err(|source| Error::Report {
                        path: path(),
                        source,
                    })
                }
                other => Err(Error::Kind {
                    path: path(),
                    kind: other.unwrap_or("no kind of object").to_owned(),
                }),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "
apiVersion: netdiag.dev/v1alpha1
kind: NodeNetReport
metadata: {name: node-17}
spec: {}
status:
  results:
  - {diagnosis: rx-dropped, runGeneration: 1, state: Running}
";

    fn names(text: &str) -> Vec<String> {
        let reports = reports(text.as_bytes(), Path::new("r")).unwrap();
        let names = reports.into_iter().map(|report| report.metadata.name);
        names.flatten().collect()
    }

    #[test]
    fn one_report_and_a_list_are_read_as_json_and_as_yaml() {
        assert_eq!(names(REPORT), ["node-17"]);
        let one: Value = serde_yaml::from_str(REPORT).unwrap();
        assert_eq!(names(&one.to_string()), ["node-17"]);
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [one, one]});
        assert_eq!(names(&list.to_string()), ["node-17", "node-17"]);
        assert_eq!(names(&serde_yaml::to_string(&list).unwrap()).len(), 2);
        assert_eq!(names(r#"{"kind": "List", "items": []}"#).len(), 0);
    }

    #[test]
    fn anything_else_is_refused_with_what_it_is() {
        let refused = |text: &str| {
            let error = reports(text.as_bytes(), Path::new("r.yaml")).unwrap_err();
            error.to_string()
        };
        assert!(refused("kind: Pod").ends_with(r#"it holds "Pod""#));
        assert!(refused("a recording").ends_with(r#"it holds "no kind of object""#));
        assert!(refused("{").contains("as JSON"));
        assert!(refused("\t- :").contains("as YAML"));
        assert!(refused("{\"kind\": \"NodeNetReport\"}").contains("a NodeNetReport in"));
    }
}
