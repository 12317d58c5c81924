//! `diagnose`: the whole engine on this host, without a cluster.

mod progress;

use std::{io, path::Path};

use netdiag_crds::NodeNetReport;
use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow, Settings, SettingsError, finding::Severity, text::printable,
    verdict::Blind,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::{DiagnoseArgs, Output},
    collect::{self, Collected, Request, Stop},
    probe_states,
    probes::Kernel,
    recording::{self, Recording},
    render, report, stdout,
};
use progress::ProgressLine;

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("failed to understand the settings")]
    Settings { source: SettingsError },
    #[error(transparent)]
    Replay { source: recording::ReadError },
    #[error(transparent)]
    Record { source: recording::WriteError },
    #[error("failed to get a random number for the anonymised recording")]
    Seed { source: io::Error },
    #[error("failed to watch this host")]
    Watch { source: tokio::task::JoinError },
    #[error("failed to listen for signals")]
    Signals { source: io::Error },
    #[error("failed to encode the report as JSON")]
    Json { source: serde_json::Error },
    #[error("failed to encode the report as YAML")]
    Yaml { source: serde_yaml::Error },
    #[error("failed to write the result to stdout")]
    Output { source: io::Error },
}

/// The end of a run that could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing as bad as `--fail-on` was found, or it was not asked.
    Passed,
    /// `--fail-on` was met.
    Failed,
    /// `--fail-on` was asked and not met, but the diagnosis could not look.
    Blind,
}

/// Watches or replays, and prints what was found.
///
/// # Errors
/// When a recording cannot be read or written, or the result cannot be printed. Evidence that is missing is no error:
/// the result says what could not be checked.
pub async fn run(args: DiagnoseArgs) -> Result<Gate, Error> {
    let DiagnoseArgs {
        duration,
        checks,
        interfaces,
        min_severity,
        host_root,
        output,
        record,
        anonymise,
        replay,
        fail_on,
    } = args;
    let settings = Settings::new(checks, &interfaces, &[], true, min_severity.into())
        .map_err(|source| Error::Settings { source })?;
    let mut ended_before_ms = None;
    if let Some(path) = &record {
        recording::check_writable(path).map_err(|source| Error::Record { source })?;
    }
    let (header, window) = match &replay {
        Some(path) => {
            let recording = recording::read(path).map_err(|source| Error::Replay { source })?;
            let node = &recording.evidence.node;
            let node = format!("{} ({})", node.name, node.kernel);
            eprintln!("netdiag: replaying what {} saw", printable(&node));
            (Some(recording.header), recording.evidence)
        }
        None => {
            let request = Request {
                node: collect::host_name(),
                host_root,
                duration,
                pods: settings.pods,
            };
            let Collected { window, complete } = watch(request).await?;
            if !complete {
                eprintln!("netdiag: interrupted, this is what was seen until then");
                ended_before_ms = u64::try_from(duration.as_millis()).ok();
            }
            (None, window)
        }
    };
    let diagnosis = Diagnosis {
        ended_before_ms,
        ..netdiag_diagnosis::diagnose(&window, &settings)
    };
    let text = in_form(output, &window, &diagnosis)?;
    stdout::print(&text).map_err(|source| Error::Output { source })?;
    let gate = judge(&diagnosis, &window, fail_on.map(Severity::from));
    // Afterwards, so that a full disk does not cost the result.
    if let Some(path) = &record {
        let recording = match header {
            Some(header) => Recording {
                header,
                evidence: window,
            },
            None => Recording::of(window),
        };
        keep(path, recording, anonymise)?;
    }
    Ok(gate)
}

/// Watches this host. The first Ctrl-C ends the window early; its findings are worth having.
async fn watch(request: Request) -> Result<Collected, Error> {
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|source| Error::Signals { source })?;
    let stop = Stop::default();
    let mut window = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || {
            let mut line = ProgressLine::new();
            let kernel = Kernel::load();
            let collected =
                collect::collect(&request, &kernel, &stop, &mut |_| true, &mut |progress| {
                    line.show(progress);
                });
            line.clear();
            collected
        }
    });
    let joined = tokio::select! {
        joined = &mut window => joined,
        _ = interrupt.recv() => {
            stop.set();
            tokio::select! {
                joined = window => joined,
                // Impatience: leave at once; the kernel detaches the probe of a process that is gone.
                _ = interrupt.recv() => std::process::exit(130),
            }
        }
    };
    joined.map_err(|source| Error::Watch { source })
}

fn keep(path: &Path, recording: Recording, anonymise: bool) -> Result<(), Error> {
    let (recording, holds) = match anonymise {
        true => {
            let seed = recording::random_seed().map_err(|source| Error::Seed { source })?;
            (recording.anonymised(seed), "without names and addresses")
        }
        false => (recording, "it holds addresses and parts of packets"),
    };
    recording::write(path, &recording).map_err(|source| Error::Record { source })?;
    let path = path.to_string_lossy();
    eprintln!(
        "netdiag: evidence recorded in {}; {holds}",
        printable(&path)
    );
    Ok(())
}

/// The whole report of a window, as `-o yaml` prints it and every text is made from it.
pub(crate) fn report(window: &EvidenceWindow, diagnosis: &Diagnosis) -> NodeNetReport {
    // Field offsets come from BTF, so without it no drops would be there.
    let has_types = window.drops.value().is_some();
    let agent = probe_states::agent_info(window.node.kernel.clone(), has_types);
    report::node_net_report(diagnosis, window, agent, probe_states::of(window))
}

fn in_form(
    output: Output,
    window: &EvidenceWindow,
    diagnosis: &Diagnosis,
) -> Result<String, Error> {
    let report = report(window, diagnosis);
    Ok(match output {
        Output::Json => {
            let mut text =
                serde_json::to_string_pretty(&report).map_err(|source| Error::Json { source })?;
            text.push('\n');
            text
        }
        Output::Yaml => serde_yaml::to_string(&report).map_err(|source| Error::Yaml { source })?,
        Output::Table | Output::Wide => {
            render::render(&report, stdout::style(output == Output::Wide))
        }
    })
}

fn judge(diagnosis: &Diagnosis, window: &EvidenceWindow, fail_on: Option<Severity>) -> Gate {
    // What a rule refused as it is meant to is no failure.
    let undecided = diagnosis
        .findings
        .iter()
        .filter(|finding| !finding.assessment.is_decision());
    let worst = undecided.map(|finding| finding.severity()).max();
    let is_blind = || {
        let blind = Blind::of(diagnosis, window);
        blind.is_some_and(|blind| blind.is_of_the_whole_run())
    };
    match fail_on {
        Some(limit) if worst >= Some(limit) => Gate::Failed,
        Some(_) if is_blind() => Gate::Blind,
        _ => Gate::Passed,
    }
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::{
        causes::{LINK_MTU, Mechanism, PROMISCUITY},
        evidence::{Drops, Missing, Observed},
        finding::{Assessment, Culprit, Decision, Finding, Harm, Subject, Text, Unchecked, Unmade},
        verdict::Unmatched,
    };

    use super::*;

    fn with(severities: &[Severity]) -> Diagnosis {
        let finding = |severity: &Severity| {
            let text = Text {
                headline: "packets are lost".to_owned(),
                what: "A queue is full.".to_owned(),
                hurts: "Everybody.".to_owned(),
            };
            Finding::new(
                Mechanism::Kernel("X".to_owned()),
                match severity {
                    Severity::Info => Assessment::none(),
                    Severity::Warning => Assessment::of(Harm::Loss),
                    Severity::Critical => Assessment::of(Harm::Outage).by(Culprit::Here),
                },
                Subject::default(),
                text,
            )
        };
        Diagnosis {
            findings: severities.iter().map(finding).collect(),
            ..Diagnosis::default()
        }
    }

    /// A window that saw everything.
    fn whole() -> EvidenceWindow {
        EvidenceWindow {
            duration_ms: 35_000,
            links: Observed::Complete { value: Vec::new() },
            drops: Observed::Complete {
                value: Drops::default(),
            },
            ..EvidenceWindow::default()
        }
    }

    #[test]
    fn fail_on_is_met_by_what_is_as_bad_or_worse() {
        use Severity::{Critical, Info, Warning};
        let judged = |found: &[Severity], limit| judge(&with(found), &whole(), limit);
        assert_eq!(judged(&[], Some(Info)), Gate::Passed);
        assert_eq!(judged(&[Info], Some(Info)), Gate::Failed);
        assert_eq!(judged(&[Info], Some(Warning)), Gate::Passed);
        assert_eq!(judged(&[Info, Critical], Some(Warning)), Gate::Failed);
        assert_eq!(judged(&[Warning], Some(Critical)), Gate::Passed);
        assert_eq!(judged(&[Critical], None), Gate::Passed);
    }

    #[test]
    fn decisions_fail_nothing() {
        let mut decided = with(&[Severity::Info]);
        decided.findings[0].assessment = Assessment::decided(Decision::Rule, Harm::Outage, 40);
        assert_eq!(
            judge(&decided, &whole(), Some(Severity::Info)),
            Gate::Passed
        );
    }

    #[test]
    fn a_run_that_could_not_look_passes_no_gate() {
        let limit = Some(Severity::Warning);
        let unmatched = Diagnosis {
            unmatched: Some(Unmatched::default()),
            ..with(&[])
        };
        assert_eq!(judge(&unmatched, &whole(), limit), Gate::Blind);
        assert_eq!(judge(&unmatched, &whole(), None), Gate::Passed, "not asked");
        let interrupted = Diagnosis {
            ended_before_ms: Some(60_000),
            ..with(&[])
        };
        assert_eq!(judge(&interrupted, &whole(), limit), Gate::Blind);
        let met = Diagnosis {
            unmatched: Some(Unmatched::default()),
            ..with(&[Severity::Critical])
        };
        assert_eq!(
            judge(&met, &whole(), limit),
            Gate::Failed,
            "met all the same"
        );
    }

    #[test]
    fn a_refused_drop_probe_passes_no_gate_and_one_missing_check_does() {
        let limit = Some(Severity::Warning);
        let unmade = Diagnosis {
            unchecked: vec![Unchecked {
                check: &LINK_MTU,
                unmade: Unmade::All,
                reason: "needs the drop probe".to_owned(),
            }],
            checks: vec![&LINK_MTU, &PROMISCUITY],
            ..with(&[])
        };
        assert_eq!(judge(&unmade, &whole(), limit), Gate::Passed);
        let refused = EvidenceWindow {
            drops: Observed::unavailable(Missing::failed("EPERM")),
            ..whole()
        };
        assert_eq!(judge(&unmade, &refused, limit), Gate::Blind);
        let unneeded = with(&[]);
        assert_eq!(
            judge(&unneeded, &refused, limit),
            Gate::Passed,
            "no check needs it"
        );
    }

    #[test]
    fn reports_are_one_node_net_report() {
        let window = EvidenceWindow::default();
        for output in [Output::Json, Output::Yaml] {
            let text = in_form(output, &window, &with(&[Severity::Warning])).unwrap();
            // JSON is YAML too.
            let report: serde_json::Value = serde_yaml::from_str(&text).unwrap();
            assert_eq!(report["kind"], "NodeNetReport");
            assert_eq!(report["status"]["results"][0]["diagnosis"], "local");
            assert_eq!(
                report["status"]["results"][0]["findings"][0]["severity"],
                "Warning"
            );
        }
    }
}
