//! The remedy of a finding, and the condition under which its command may be shown.

use super::guard;
use crate::evidence::{Namespace, Owner};

/// The moment from which a change acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acts {
    /// At once.
    Now,
    /// For sockets that are opened from then on: the program must be restarted.
    NextSocket,
    /// The next time that the program calls listen().
    NextListen,
    /// On another host, named.
    Elsewhere(String),
}

impl Acts {
    /// The word that resources use.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::NextSocket => "NextSocket",
            Self::NextListen => "NextListen",
            Self::Elsewhere(_) => "Elsewhere",
        }
    }
}

/// A command that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The moment from which it acts.
    pub acts: Acts,
    /// The command that restores what was set before. Absent where a name in it could not be trusted.
    pub undo: Option<String>,
    /// The file or field that keeps the change across a reboot, for one node and for a fleet.
    pub lasting: Option<String>,
}

/// The host that a command is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The node.
    #[default]
    Node,
    /// Any host from which kubectl reaches the cluster.
    Cluster,
}

/// One way to end it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// The act, as a sentence.
    pub text: String,
    /// The command for root on the node (see `place`), shell-quoted. Absent where a name in it could not be trusted.
    pub command: Option<String>,
    /// The host that the command is for, unless [`Acts::Elsewhere`] names another.
    pub place: Place,
    /// The changes that it makes, side effects first.
    pub effect: Option<String>,
    /// The change that the command makes; absent for a command that only looks.
    pub change: Option<Change>,
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
            ..Self::default()
        }
    }

    /// The same for arguments of kubectl, from wherever it reaches the cluster.
    pub fn kubectl(text: impl Into<String>, arguments: &[&str], names: &[&str]) -> Self {
        Self {
            place: Place::Cluster,
            ..Self::command(text, &[&["kubectl"], arguments].concat(), names)
        }
    }

    /// The same for a command that must run in this namespace: entered by its name under /run/netns, else by one of
    /// its processes, unless another has its pid by then. A namespace that offers neither leaves the remedy without a
    /// command.
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
                let net = guard::namespace_file(pid, namespace.pid_started, namespace.id);
                Self::command(text, words, names).behind(&format!("nsenter --net={net}"))
            }
            (None, None) => Self::advice(text),
        }
    }

    /// A remedy by a command about a process, whose pid is its last word, unless another has that pid by then. A
    /// process that was not seen leaves the remedy without a command.
    pub fn command_about(owner: &Owner, text: impl Into<String>, words: &[&str]) -> Self {
        if owner.pid == 0 {
            return Self::advice(text);
        }
        let mut remedy = Self::command(text, words, &[]);
        if let Some(command) = &mut remedy.command {
            command.push(' ');
            command.push_str(&guard::pid(owner.pid, owner.started));
        }
        remedy
    }

    /// The same with its command behind these words, which are a shell's already.
    fn behind(mut self, words: &str) -> Self {
        self.command = self.command.map(|command| format!("{words} {command}"));
        self
    }

    /// The same as a change at once. `undo`: the remedy whose command restores what was set before.
    pub fn undone_by(mut self, undo: Self) -> Self {
        self.change = Some(Change {
            acts: Acts::Now,
            undo: undo.command,
            lasting: None,
        });
        self
    }

    /// The same, acting from this moment on; for a change only.
    pub fn acting(mut self, acts: Acts) -> Self {
        if let Some(change) = &mut self.change {
            change.acts = acts;
        }
        self
    }

    /// The same with the file or field that keeps it; for a change only.
    pub fn lasting(mut self, lasting: impl Into<String>) -> Self {
        if let Some(change) = &mut self.change {
            change.lasting = Some(lasting.into());
        }
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str], names: &[&str]) -> Option<String> {
        Remedy::command("Do it.", words, names).command
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(
            command(&["nft", "add table netdev x; it's"], &[]).as_deref(),
            Some(r"nft 'add table netdev x; it'\''s'")
        );
        assert_eq!(command(&["ip", ""], &[]).as_deref(), Some("ip ''"));
    }

    #[test]
    fn a_name_that_is_not_plain_costs_the_command() {
        for hostile in [
            "$(reboot)",
            "eth0;reboot",
            "a b",
            "",
            "-delete",
            "ünic",
            "a\nb",
        ] {
            let remedy =
                Remedy::command("Do it.", &["ip", "link", "set", hostile, "up"], &[hostile]);
            assert_eq!(remedy.command, None, "{hostile:?}");
            assert_eq!(remedy.text, "Do it.");
        }
        assert!(command(&["ip", "eth0.100@if7"], &["eth0.100@if7"]).is_some());
    }
}
