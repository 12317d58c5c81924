//! The wishes of a person: which checks, which interfaces, how bad at least.

use globset::{Glob, GlobMatcher};

use crate::{
    causes::{self, CHECKS, Check},
    evidence::{EvidenceWindow, Link},
    finding::{Finding, Severity},
    ledger::LedgerEntry,
};

/// Settings of one diagnosis. The default checks everything everywhere.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The checks to report; empty for all.
    checks: Vec<&'static Check>,
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
    /// Look into pods' namespaces.
    pub pods: bool,
    /// Report nothing below this.
    pub min_severity: Severity,
}

/// A setting that cannot be used; the message says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No check has this name.
    #[error("unknown check {name:?}; the checks are {}", known_checks())]
    UnknownCheck {
        /// The name.
        name: String,
    },
    /// Not a glob.
    #[error(
        "{pattern:?} is not an interface glob ({reason}); allowed are names with *, ? and [..]"
    )]
    BadGlob {
        /// The pattern.
        pattern: String,
        /// The fault in it.
        reason: String,
    },
}

fn known_checks() -> String {
    let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
    names.join(", ")
}

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
        let known = |name: String| causes::check(&name).ok_or(SettingsError::UnknownCheck { name });
        Ok(Self {
            checks: checks.into_iter().map(known).collect::<Result<_, _>>()?,
            include: compile(include)?,
            exclude: compile(exclude)?,
            pods,
            min_severity,
        })
    }

    /// The checks that are asked for.
    pub fn checks(&self) -> impl Iterator<Item = &'static Check> {
        let all = CHECKS.iter().copied();
        all.filter(|check| self.wants_check(check))
    }

    /// True if this check is asked for.
    pub fn wants_check(&self, check: &'static Check) -> bool {
        self.checks.is_empty() || self.checks.contains(&check)
    }

    /// The globs of the interfaces that are asked for; none for every interface.
    pub(crate) fn included(&self) -> impl Iterator<Item = &str> {
        self.include.iter().map(|glob| glob.glob().glob())
    }

    /// The globs of the interfaces that are not.
    pub(crate) fn excluded(&self) -> impl Iterator<Item = &str> {
        self.exclude.iter().map(|glob| glob.glob().glob())
    }

    /// True if this interface of the node's own namespace is asked for.
    pub fn wants_interface(&self, name: &str) -> bool {
        let matches = |globs: &[GlobMatcher]| globs.iter().any(|glob| glob.is_match(name));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }

    /// True if the node's own namespace has any interface that is asked for, or none is known.
    pub fn any_interface_wanted(&self, window: &EvidenceWindow) -> bool {
        let Some(node) = window.node_namespace() else {
            return true;
        };
        let own = |link: &&Link| link.netns == node.id;
        let mut links = window.links().iter().filter(own).peekable();
        links.peek().is_none() || links.any(|link| self.wants_interface(&link.name))
    }

    /// True if a finding is asked for by itself; its causes are kept beside it.
    pub fn wants(&self, finding: &Finding) -> bool {
        let in_scope = match (&finding.subject.netns, &finding.subject.interface) {
            (Some(_), _) => self.pods,
            (None, Some(interface)) => self.wants_interface(interface),
            (None, None) => true,
        };
        in_scope && self.wants_check(finding.check()) && finding.severity() >= self.min_severity
    }

    /// True if a ledger entry is asked for. Checks and severities do not narrow the ledger: half of it would not
    /// balance.
    pub fn wants_entry(&self, entry: &LedgerEntry) -> bool {
        match (&entry.place, &entry.interface) {
            (Some(_), _) => self.pods,
            (None, Some(interface)) => self.wants_interface(interface),
            (None, None) => true,
        }
    }
}

/// Characters that no interface name holds (`dev_valid_name`), or that globs elsewhere give a meaning of its own, so
/// that a pattern would not mean the same everywhere.
const NOT_IN_A_GLOB: [char; 4] = ['{', '}', '\\', '/'];

fn compile(patterns: &[String]) -> Result<Vec<GlobMatcher>, SettingsError> {
    patterns
        .iter()
        .map(|pattern| compile_one(pattern))
        .collect()
}

fn compile_one(pattern: &str) -> Result<GlobMatcher, SettingsError> {
    let bad = |reason: String| SettingsError::BadGlob {
        pattern: pattern.to_owned(),
        reason,
    };
    if pattern.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    let refused = |character: &char| character.is_whitespace() || NOT_IN_A_GLOB.contains(character);
    if let Some(character) = pattern.chars().find(refused) {
        return Err(bad(format!("it holds {character:?}")));
    }
    Glob::new(pattern)
        .map(|glob| glob.compile_matcher())
        .map_err(|error| bad(error.kind().to_string()))
}

/// The interfaces that were asked for and that the node does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Globs of names that were asked for; empty for every name.
    pub include: Vec<String>,
    /// Globs of names that were not.
    pub exclude: Vec<String>,
}

impl Unmatched {
    /// The globs of these settings, when no interface of the node is one that was asked for.
    pub(crate) fn of(settings: &Settings, window: &EvidenceWindow) -> Option<Self> {
        (!settings.any_interface_wanted(window)).then(|| Self {
            include: settings.included().map(str::to_owned).collect(),
            exclude: settings.excluded().map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CHECKS, Settings, SettingsError};
    use crate::finding::Severity;

    fn with_globs(include: &[&str], exclude: &[&str]) -> Result<Settings, SettingsError> {
        let owned = |globs: &[&str]| -> Vec<String> {
            globs.iter().map(|glob| (*glob).to_owned()).collect()
        };
        Settings::new(
            Vec::new(),
            &owned(include),
            &owned(exclude),
            true,
            Severity::Info,
        )
    }

    #[test]
    fn globs_choose_interfaces_and_exclusion_wins() {
        let settings = with_globs(&["eth*", "bond[0-3]"], &["eth?.100"]).expect("valid globs");
        for (name, wanted) in [
            ("eth0", true),
            ("eth0.200", true),
            ("eth0.100", false),
            ("bond3", true),
            ("bond4", false),
            ("veth0", false),
        ] {
            assert_eq!(settings.wants_interface(name), wanted, "{name}");
        }
    }

    #[test]
    fn no_glob_includes_every_interface() {
        let settings = with_globs(&[], &["docker*"]).expect("valid globs");
        assert!(settings.wants_interface("eth0"));
        assert!(!settings.wants_interface("docker0"));
    }

    #[test]
    fn a_bad_glob_is_refused_with_what_is_allowed() {
        for pattern in [
            "eth[", "", "eth{0,1}", "a b", "eth\\*", "sys/eth0", "eth[9-0]",
        ] {
            let error = with_globs(&[pattern], &[]).expect_err(pattern);
            assert!(
                error
                    .to_string()
                    .ends_with("allowed are names with *, ? and [..]"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_unknown_check_is_refused_with_the_known_ones() {
        let checks = vec!["LinkMtu".to_owned(), "linkmtu".to_owned()];
        let error = Settings::new(checks, &[], &[], true, Severity::Info).expect_err("unknown");
        let text = error.to_string();
        assert!(
            text.starts_with(
                "unknown check \"linkmtu\"; the checks are Promiscuity, UnhandledProtocol, "
            ),
            "{text}"
        );
        assert!(
            CHECKS.iter().all(|check| text.contains(check.name)),
            "{text}"
        );
    }
}
