//! The findings that ask for an act, one entry for each cause.

use std::cmp::Reverse;

use crate::finding::{Finding, Harm, Severity};

/// A cause that asks for an act.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem<'a> {
    /// The worst finding of the cause.
    pub finding: &'a Finding,
    /// Further findings of the same cause and harm.
    pub alike: usize,
}

impl<'a> Problem<'a> {
    /// The problems among these findings, the worst harm first. A finding that makes another problem happen is no
    /// problem of its own.
    pub(super) fn all_of(findings: &'a [Finding]) -> Vec<Self> {
        let mut asking: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.severity() > Severity::Info)
            .collect();
        asking.sort_by_key(|finding| Reverse((finding.assessment.harm, finding.severity())));
        let explains = |one: &Finding, other: &Finding| {
            other.caused_by.contains(&one.id) && !one.caused_by.contains(&other.id)
        };
        let mut problems: Vec<Self> = Vec::new();
        for finding in &asking {
            if asking.iter().any(|other| explains(finding, other)) {
                continue;
            }
            let same = |problem: &&mut Self| {
                problem.harm() == finding.assessment.harm && problem.finding.cause == finding.cause
            };
            match problems.iter_mut().find(same) {
                Some(problem) => problem.alike += 1,
                None => problems.push(Self { finding, alike: 0 }),
            }
        }
        problems
    }

    /// Its harm.
    pub fn harm(&self) -> Harm {
        self.finding.assessment.harm
    }
}
