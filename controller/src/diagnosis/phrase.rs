//! Findings in a few words, for a column.

use netdiag_crds::{checks, severity::Severity};

/// What happened, without where: `LLDP dropped`. A cause that this release does not know is named as it names itself.
pub fn headline(check: &str, cause: &str, severity: Severity, protocol: Option<&str>) -> String {
    const PROTOCOL: &str = "{protocol}";
    match checks::cause(check, cause).map(|known| known.headline(severity)) {
        Some(words) if words.contains(PROTOCOL) => words.replace(
            PROTOCOL,
            protocol.unwrap_or("frames of an unknown protocol"),
        ),
        Some(words) => with_protocol(words, protocol),
        // The kernel's reason, in its spelling.
        None if check == checks::OTHER_DROP => with_protocol(cause, protocol),
        None => with_protocol(&format!("{check}/{cause}"), protocol),
    }
}

/// What a person may be told about a finding beside its severity: `, harmless` where that is known. Of the kernel's own
/// reasons (a filter's decision, a packet without a device) nobody has judged that.
pub fn verdict(check: &str, cause: &str, severity: Severity) -> &'static str {
    let is_harmless = match checks::cause(check, cause) {
        Some(known) => known.is_harmless_as_info,
        None => check != checks::OTHER_DROP,
    };
    if severity == Severity::Info && is_harmless {
        ", harmless"
    } else {
        ""
    }
}

fn with_protocol(text: &str, protocol: Option<&str>) -> String {
    match protocol {
        Some(protocol) => format!("{text} ({protocol})"),
        None => text.to_owned(),
    }
}

/// `1 node`, `12 nodes`.
pub fn nodes(count: usize) -> String {
    format!("{count} {}", if count == 1 { "node" } else { "nodes" })
}

/// A list of names that a line can hold: `a, b, c and 7 more`.
pub fn names(names: &[&str]) -> String {
    /// A person reads a few; `nodes` has the number.
    const SHOWN: usize = 5;
    let shown = names
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The text cut to so many characters, which is how the API server counts.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_causes_read_as_words_and_unknown_ones_as_themselves() {
        let text = |check, cause, severity, protocol| headline(check, cause, severity, protocol);
        assert_eq!(
            text(
                "UnhandledProtocol",
                "NoReceiver",
                Severity::Info,
                Some("LLDP")
            ),
            "LLDP dropped"
        );
        assert_eq!(
            text(
                "UnhandledProtocol",
                "NoReceiver",
                Severity::Warning,
                Some("0x88b5")
            ),
            "0x88b5 addressed to the node dropped"
        );
        assert_eq!(
            text("OtherDrop", "NETFILTER_DROP", Severity::Info, None),
            "NETFILTER_DROP"
        );
        assert_eq!(
            text("OtherDrop", "NoDevice", Severity::Info, None),
            "packets dropped without a device of the node"
        );
        assert_eq!(
            text("ChecksumDrop", "Corruption", Severity::Warning, Some("UDP")),
            "corrupt packets dropped (UDP)"
        );
        assert_eq!(
            text("NewCheck", "NewCause", Severity::Warning, None),
            "NewCheck/NewCause"
        );
    }

    #[test]
    fn only_what_was_judged_is_called_harmless() {
        let lldp = verdict("UnhandledProtocol", "NoReceiver", Severity::Info);
        assert_eq!(lldp, ", harmless");
        assert_eq!(
            verdict("OtherDrop", "NotLoss", Severity::Info),
            ", harmless"
        );
        assert_eq!(verdict("OtherDrop", "NoDevice", Severity::Info), "");
        assert_eq!(verdict("LinkMtu", "PeerMtuSmaller", Severity::Critical), "");
    }

    #[test]
    fn names_and_numbers_are_grammatical() {
        assert_eq!(nodes(1), "1 node");
        assert_eq!(nodes(0), "0 nodes");
        assert_eq!(names(&["a", "b"]), "a, b");
        assert_eq!(
            names(&["a", "b", "c", "d", "e", "f", "g"]),
            "a, b, c, d, e and 2 more"
        );
    }

    #[test]
    fn a_cut_counts_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
