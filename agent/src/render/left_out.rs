//! The parts that a stored result does not hold.

use netdiag_crds::report::{RunResult, state};

use super::severity;
use crate::wording::counted;

/// The first sentence about a result without a verdict of its own: it claims nothing.
pub(super) fn without_verdict(result: &RunResult) -> String {
    match (result.state.as_str(), &result.message) {
        (state::RUNNING, None) => "no verdict: the window has not ended yet.".to_owned(),
        (_, Some(message)) => format!("no verdict: {}.", message.trim_end_matches('.')),
        (_, None) => {
            let findings = &result.findings;
            let worst = findings.iter().max_by_key(|finding| severity(finding));
            let found = match worst {
                Some(worst) => format!(
                    "; it holds {}, the worst of them {}: {}",
                    counted(findings.len(), "finding", "findings"),
                    worst.severity,
                    worst.summary.trim_end_matches('.')
                ),
                None => String::new(),
            };
            format!("no verdict is in this report{found}.")
        }
    }
}

/// The parts of a result that did not fit into its report.
pub(super) fn left_out(result: &RunResult) -> Option<String> {
    let omitted = result.omitted?;
    let parts = [
        (omitted.findings, "finding", "findings"),
        (omitted.ledger, "row of the ledger", "rows of the ledger"),
        (omitted.evidence, "proof", "proofs"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter_map(|(count, one, many)| {
            let count = usize::try_from(count).ok().filter(|count| *count > 0)?;
            Some(counted(count, one, many))
        })
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Left out or summed in this report, for its size: {}.",
            parts.join(", ")
        )
    })
}
