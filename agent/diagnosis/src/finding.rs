//! What a detector says: a symptom (`check`), its proved cause, whom it hurts, and what ends it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::evidence::{Link, Namespace, NetnsId, Pod};

/// How bad it is. The order is the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Severity {
    /// Harmless, or context for another finding; never makes a node affected.
    Info,
    /// Packets are lost, or will be.
    Warning,
    /// Traffic fails.
    Critical,
}

impl Severity {
    /// The word that resources and output use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }
}

/// How sure the cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Confidence {
    /// Consistent with the evidence, not proved.
    Possible,
    /// The evidence fits no other known cause.
    Likely,
    /// Proved by the evidence.
    Certain,
}

impl Confidence {
    /// The word that resources and output use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "Possible",
            Self::Likely => "Likely",
            Self::Certain => "Certain",
        }
    }
}

/// A finding's identity: check, cause and subject, readable and the same in every window.
/// Made by [`Finding::new`] alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FindingId(String);

impl FindingId {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a finding is about; each part when it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Interface name in its own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Interface index in its own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// The namespace, absent for the node's own.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_netns"
    )]
    pub netns: Option<NetnsId>,
    /// Name of the namespace under /run/netns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// The pod whose namespace it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// The container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The process, as `comm (pid N)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Protocol by its usual name: `LLDP`, `TCP`, ..
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

fn serialize_netns<S: Serializer>(
    netns: &Option<NetnsId>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match netns {
        Some(netns) => serializer.collect_str(netns),
        None => serializer.serialize_none(),
    }
}

impl Subject {
    /// The subject of a link: its name and index, and whose namespace it is in.
    pub fn of_link(link: &Link, namespace: Option<&Namespace>) -> Self {
        let mut subject = namespace.map_or_else(Self::default, Self::of_namespace);
        subject.interface = Some(link.name.clone());
        subject.ifindex = Some(link.ifindex);
        subject
    }

    /// The subject of a namespace as a whole.
    pub fn of_namespace(namespace: &Namespace) -> Self {
        if namespace.is_node {
            return Self::default();
        }
        Self {
            netns: Some(namespace.id),
            netns_name: namespace.name.clone(),
            pod: namespace.pod.clone(),
            ..Self::default()
        }
    }

    /// The same subject with a protocol.
    pub fn with_protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = Some(protocol.into());
        self
    }

    /// Whose it is in a few words: the pod, the namespace's name or number; `None` for the node's own.
    pub fn place(&self) -> Option<String> {
        let netns = self.netns?;
        Some(match (&self.pod, &self.netns_name) {
            (Some(pod), _) => format!("pod {}/{}", pod.namespace, pod.name),
            (None, Some(name)) => format!("netns {name}"),
            (None, None) => netns.to_string(),
        })
    }

    /// The subject's part of a finding's identity. Namespaces enter by pod or name where they have one, since numbers
    /// are reused and would make another finding of the same fault.
    fn key(&self) -> String {
        let mut parts = Vec::new();
        if let Some(netns) = self.netns {
            parts.push(match (&self.pod, &self.netns_name) {
                (Some(pod), _) => format!("{}.{}", pod.namespace, pod.name),
                (None, Some(name)) => name.clone(),
                (None, None) => netns.to_string(),
            });
        }
        parts.extend(
            [
                &self.interface,
                &self.container,
                &self.process,
                &self.protocol,
            ]
            .into_iter()
            .flatten()
            .cloned(),
        );
        parts.join("/")
    }
}

/// One fact that supports a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What was counted or read, readable on its own: `UNHANDLED_PROTO at __netif_receive_skb_core, dev bond0`.
    pub name: String,
    /// The value as text.
    pub value: String,
    /// Its unit (`frames`, `bytes`); empty for none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub unit: &'static str,
    /// Where it was read: `kfree_skb`, `netlink`, `/proc/net/ptype`.
    pub source: String,
}

impl Proof {
    /// A fact with its value and source.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "values are numbers and fresh strings; a reference at each call would only be noise"
    )]
    pub fn new(
        name: impl Into<String>,
        value: impl ToString,
        unit: &'static str,
        source: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
            unit,
            source: source.into(),
        }
    }
}

/// One way to end it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// What to do, a sentence.
    pub text: String,
    /// The command for root on the node, shell-quoted. Absent where a name in it could not be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What changes by it, side effects first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

impl Remedy {
    /// A remedy that needs no command.
    pub fn advice(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A remedy by a command, made of words that are quoted for a shell where they need it.
    ///
    /// Names come from pods and are hostile: when `names` (the words of the command that the node did not choose)
    /// holds one outside `[A-Za-z0-9_.:@-]`, or one that an option parser would take for an option, the remedy keeps
    /// its text and loses its command.
    pub fn command(text: impl Into<String>, words: &[&str], names: &[&str]) -> Self {
        let command = names.iter().all(|name| is_plain_name(name)).then(|| {
            let quoted: Vec<String> = words.iter().map(|word| shell_quote(word)).collect();
            quoted.join(" ")
        });
        Self {
            text: text.into(),
            command,
            effect: None,
        }
    }

    /// The same for a command that must run in this namespace: entered by its name under /run/netns, else by one of
    /// its processes. A namespace that offers neither leaves the remedy without a command.
    pub fn command_in(
        namespace: &Namespace,
        text: impl Into<String>,
        words: &[&str],
        names: &[&str],
    ) -> Self {
        if namespace.is_node {
            return Self::command(text, words, names);
        }
        match (&namespace.name, namespace.pid) {
            (Some(name), _) => {
                let enter = ["ip", "netns", "exec", name];
                Self::command(
                    text,
                    &[&enter, words].concat(),
                    &[&[name.as_str()], names].concat(),
                )
            }
            (None, Some(pid)) => {
                let pid = pid.to_string();
                let enter = ["nsenter", "--target", &pid, "--net"];
                Self::command(text, &[&enter, words].concat(), names)
            }
            (None, None) => Self::advice(text),
        }
    }

    /// The same with what it changes.
    pub fn with_effect(mut self, effect: impl Into<String>) -> Self {
        self.effect = Some(effect.into());
        self
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:@-".contains(&byte))
}

fn shell_quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@-/=,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// One proved symptom.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable identity.
    pub id: FindingId,
    /// The symptom: a detector's name.
    pub check: &'static str,
    /// What was proved about it: one of the detector's causes, or the kernel's own drop reason.
    pub cause: Cow<'static, str>,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What it is about.
    pub subject: Subject,
    /// One line, readable alone in a list.
    pub summary: String,
    /// What happens, in sentences.
    pub explanation: String,
    /// Whether and whom it hurts.
    pub impact: String,
    /// The facts.
    pub evidence: Vec<Proof>,
    /// Labelled lines of its own for people, such as `Sender`: (label, text).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<(&'static str, String)>,
    /// Findings that make this one happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caused_by: Vec<FindingId>,
    /// What this finding does to another that names it in `caused_by`, as a clause that follows "Because [n]".
    #[serde(skip)]
    pub consequence: String,
    /// Ordered, best first.
    pub remedies: Vec<Remedy>,
    /// Events within the window.
    pub count: u64,
    /// Milliseconds since the window began of its first event.
    pub first_ms: u64,
    /// The same of its last.
    pub last_ms: u64,
}

impl Finding {
    /// A finding with its identity and nothing said about it yet; the detector fills the rest.
    pub fn new(
        check: &'static str,
        cause: impl Into<Cow<'static, str>>,
        severity: Severity,
        subject: Subject,
    ) -> Self {
        let cause = cause.into();
        let key = subject.key();
        let id = if key.is_empty() {
            format!("{check}/{cause}")
        } else {
            format!("{check}/{cause}/{key}")
        };
        Self {
            id: FindingId(id),
            check,
            cause,
            severity,
            confidence: Confidence::Certain,
            subject,
            summary: String::new(),
            explanation: String::new(),
            impact: String::new(),
            evidence: Vec::new(),
            details: Vec::new(),
            caused_by: Vec::new(),
            consequence: String::new(),
            remedies: Vec::new(),
            count: 0,
            first_ms: 0,
            last_ms: 0,
        }
    }

    /// The page that explains this check.
    pub fn docs(&self) -> String {
        format!("docs/checks/{}.md", self.check)
    }
}

/// Something that could not be checked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unchecked {
    /// The check it concerns.
    pub check: &'static str,
    /// True when the check was made in part.
    pub partly: bool,
    /// Why, and what would help.
    pub reason: String,
}

/// Whether a drop hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Verdict {
    /// Nobody misses the packet.
    Benign,
    /// Somebody wanted it.
    Harmful,
    /// Not known.
    Unknown,
}

/// A detector's word on one key of the drop evidence: what it was and which finding explains it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// Index into [`crate::evidence::Drops::counts`].
    pub drop: usize,
    /// Whether it hurts.
    pub verdict: Verdict,
    /// Protocol by name, when known: `LLDP`.
    pub protocol: Option<String>,
    /// The finding that explains it.
    pub finding: FindingId,
}
