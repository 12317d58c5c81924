//! Advice for a person. The values that are set now are not in the evidence, so each command only shows them: nobody is
//! told to set a number that may be lower than the one in force.

/// Advice to look, with a command that changes nothing.
#[derive(Debug)]
pub(super) struct Advice {
    /// The sentence that says what to compare and what to change.
    pub(super) text: &'static str,
    /// Words of the command, empty for none, with the placeholders below.
    pub(super) command: &'static [&'static str],
    pub(super) scope: Scope,
    /// The IP version that it is about.
    pub(super) version: Version,
}

/// The namespace in which a command must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In the namespace of the drop.
    Namespace,
    /// In the node's own: the setting is one for all namespaces.
    Node,
}

/// The packets that advice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Any,
    V4,
    V6,
}

/// Stands for the device's name in a command.
pub(super) const DEVICE: &str = "{device}";
/// Stands for the destination of the most frequent sampled flow.
pub(super) const DESTINATION: &str = "{destination}";
/// Stands for the source of the most frequent sampled flow.
pub(super) const SOURCE: &str = "{source}";

impl Advice {
    /// Words without a command.
    pub(super) const fn only(text: &'static str) -> Self {
        Self::look(text, &[])
    }

    /// A look in the namespace of the drop.
    pub(super) const fn look(text: &'static str, command: &'static [&'static str]) -> Self {
        Self {
            text,
            command,
            scope: Scope::Namespace,
            version: Version::Any,
        }
    }

    /// The same in the node's own namespace.
    pub(super) const fn on_node(mut self) -> Self {
        self.scope = Scope::Node;
        self
    }

    /// The same for packets of this IP version only.
    pub(super) const fn of(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// The command names this placeholder.
    pub(super) fn asks_for(&self, placeholder: &str) -> bool {
        self.command.iter().any(|word| word.contains(placeholder))
    }
}
