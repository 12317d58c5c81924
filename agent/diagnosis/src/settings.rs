//! What a person asked for: which checks, which interfaces, how bad at least.

use globset::{Glob, GlobMatcher};

use crate::{
    detectors,
    finding::{Finding, Severity},
};

/// Settings of one diagnosis. The default checks everything everywhere.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names of the checks to report; empty for all.
    checks: Vec<String>,
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
    /// Look into pods' namespaces.
    pub pods: bool,
    /// Report nothing below this.
    pub min_severity: Severity,
}

/// A setting that cannot be used; the message says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// No check has this name.
    UnknownCheck {
        /// The name.
        name: String,
    },
    /// Not a glob.
    BadGlob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownCheck { name } => {
                let known: Vec<&str> = detectors::ALL
                    .iter()
                    .map(|detector| detector.meta().name)
                    .collect();
                write!(
                    formatter,
                    "unknown check {name:?}; the checks are {}",
                    known.join(", ")
                )
            }
            Self::BadGlob { pattern, reason } => {
                write!(
                    formatter,
                    "{pattern:?} is not an interface glob ({reason}); allowed are *, ? and [..]"
                )
            }
        }
    }
}

impl std::error::Error for SettingsError {}

impl Default for Settings {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            pods: true,
            min_severity: Severity::Info,
        }
    }
}

impl Settings {
    /// Settings from what a person wrote.
    ///
    /// # Errors
    /// When a check is unknown or a glob is malformed.
    pub fn new(
        checks: Vec<String>,
        include: &[String],
        exclude: &[String],
        pods: bool,
        min_severity: Severity,
    ) -> Result<Self, SettingsError> {
        if let Some(name) = checks
            .iter()
            .find(|name| detectors::by_name(name).is_none())
        {
            return Err(SettingsError::UnknownCheck { name: name.clone() });
        }
        Ok(Self {
            checks,
            include: compile(include)?,
            exclude: compile(exclude)?,
            pods,
            min_severity,
        })
    }

    /// Whether this check is asked for.
    pub fn wants_check(&self, name: &str) -> bool {
        self.checks.is_empty() || self.checks.iter().any(|check| check == name)
    }

    /// Whether this interface of the node's own namespace is asked for.
    pub fn wants_interface(&self, name: &str) -> bool {
        let matches = |globs: &[GlobMatcher]| globs.iter().any(|glob| glob.is_match(name));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }

    /// Whether a finding is asked for by itself; the causes of such a finding are kept beside it.
    pub fn wants(&self, finding: &Finding) -> bool {
        let in_scope = match (&finding.subject.netns, &finding.subject.interface) {
            (Some(_), _) => self.pods,
            (None, Some(interface)) => self.wants_interface(interface),
            (None, None) => true,
        };
        in_scope && self.wants_check(finding.check) && finding.severity >= self.min_severity
    }
}

fn compile(patterns: &[String]) -> Result<Vec<GlobMatcher>, SettingsError> {
    patterns
        .iter()
        .map(|pattern| {
            Glob::new(pattern)
                .map(|glob| glob.compile_matcher())
                .map_err(|error| SettingsError::BadGlob {
                    pattern: pattern.clone(),
                    reason: error.kind().to_string(),
                })
        })
        .collect()
}
