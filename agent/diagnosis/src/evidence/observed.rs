use serde::{Deserialize, Serialize};

use super::{Missing, Why};

/// Evidence that may be missing, in part or whole, with the reason in words a person can act on.
///
/// "None seen" and "could not look" are different facts; a detector that finds its evidence unavailable reports
/// `unchecked`, never silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Observed<T> {
    /// All of it was read.
    Complete {
        /// The evidence.
        value: T,
    },
    /// Some of it was read.
    Partial {
        /// The part that was read.
        value: T,
        /// The missing part and the reason.
        missing: String,
        /// The kind of reason.
        #[serde(default, skip_serializing_if = "Why::is_failed")]
        why: Why,
    },
    /// None of it was read.
    Unavailable {
        /// Why not.
        reason: String,
        /// The kind of reason.
        #[serde(default, skip_serializing_if = "Why::is_failed")]
        why: Why,
    },
}

impl<T> Observed<T> {
    /// Evidence without these parts: complete without any.
    pub fn without(value: T, missing: impl IntoIterator<Item = Missing>) -> Self {
        let joined = missing.into_iter().reduce(|one, other| Missing {
            text: format!("{}; {}", one.text, other.text),
            why: one.why.and(other.why),
        });
        match joined {
            None => Self::Complete { value },
            Some(Missing { text, why }) => Self::Partial {
                value,
                missing: text,
                why,
            },
        }
    }

    /// No evidence, for this reason.
    pub fn unavailable(Missing { text, why }: Missing) -> Self {
        Self::Unavailable { reason: text, why }
    }

    /// The value that was read, complete or not.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Complete { value } | Self::Partial { value, .. } => Some(value),
            Self::Unavailable { .. } => None,
        }
    }

    /// Why it is incomplete; `None` when nothing is missing.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Complete { .. } => None,
            Self::Partial { missing, .. } => Some(missing),
            Self::Unavailable { reason, .. } => Some(reason),
        }
    }

    /// The kind of reason for which it is incomplete; `None` when nothing is missing.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Complete { .. } => None,
            Self::Partial { why, .. } | Self::Unavailable { why, .. } => Some(why),
        }
    }

    /// The missing part with its reason; `None` when nothing is missing.
    pub fn missing_part(&self) -> Option<Missing> {
        let text = self.missing()?.to_owned();
        let why = self.why()?.clone();
        Some(Missing { text, why })
    }
}

impl<T> Default for Observed<T> {
    fn default() -> Self {
        Self::unavailable(Missing::failed("not read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Capability;

    fn read(json: &str) -> Observed<u32> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn recordings_without_a_kind_of_reason_are_read_and_written_as_before() {
        for json in [
            r#"{"state":"complete","value":7}"#,
            r#"{"state":"partial","value":7,"missing":"one namespace"}"#,
            r#"{"state":"unavailable","reason":"CAP_BPF is missing"}"#,
        ] {
            let observed = read(json);
            assert!(observed.why().is_none_or(|why| *why == Why::Failed));
            assert_eq!(serde_json::to_string(&observed).unwrap(), json);
        }
    }

    #[test]
    fn a_kind_of_reason_stands_beside_the_text_that_older_releases_read() {
        let refused = Missing::not_permitted("refused", vec![Capability::Bpf]);
        let json = serde_json::to_string(&Observed::<u32>::unavailable(refused)).unwrap();
        let expected = r#"{"state":"unavailable","reason":"refused","why":{"permission":{"capabilities":["bpf"]}}}"#;
        assert_eq!(json, expected);
        let cannot = Observed::without(7, [Missing::unsupported("no BTF")]);
        let json = serde_json::to_string(&cannot).unwrap();
        let expected = r#"{"state":"partial","value":7,"missing":"no BTF","why":"unsupported"}"#;
        assert_eq!(json, expected);
        assert_eq!(read(&json), cannot);
    }

    #[test]
    fn of_several_missing_parts_the_kind_that_a_person_can_change_stands() {
        let lacks = |one| Missing::not_permitted("closed", vec![one]);
        let why = |parts: &[Missing]| Observed::without(7, parts.to_vec()).why().cloned();
        let failed = Missing::failed("full");
        let unsupported = Missing::unsupported("old");
        assert_eq!(why(&[]), None);
        assert_eq!(why(&[failed.clone(), failed.clone()]), Some(Why::Failed));
        let parts = [failed, unsupported];
        assert_eq!(why(&parts), Some(Why::Unsupported));
        let (bpf, syslog) = (lacks(Capability::Bpf), lacks(Capability::Syslog));
        let [failed, unsupported] = parts;
        let all = [failed, bpf.clone(), unsupported, syslog, bpf];
        let capabilities = vec![Capability::Bpf, Capability::Syslog];
        assert_eq!(why(&all), Some(Why::Permission { capabilities }));
        let text = Observed::without(7, all).missing().map(str::to_owned);
        assert_eq!(text.as_deref(), Some("full; closed; old; closed; closed"));
    }
}
