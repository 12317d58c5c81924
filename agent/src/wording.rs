//! Parts of sentences that reports and texts share.

/// `1 counter`, `3 counters`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// A duration for people: `35 s`, `0.5 s`. Short ones with one decimal, where it is not 0.
pub(crate) fn seconds(milliseconds: u64) -> String {
    let tenths = milliseconds.saturating_add(50) / 100;
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} s", milliseconds.saturating_add(500) / 1000)
    }
}

/// The sentence with one full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?', ':']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// The words that begin a headline and are no names.
const ORDINARY: [&str; 26] = [
    "A",
    "An",
    "Connection",
    "Connections",
    "Each",
    "Every",
    "Fragments",
    "Frames",
    "More",
    "Namespace",
    "New",
    "No",
    "Nobody",
    "Nothing",
    "Only",
    "Packets",
    "Path",
    "Pod",
    "Rules",
    "Service",
    "Services",
    "Some",
    "Stacked",
    "The",
    "There",
    "Too",
];

/// A headline inside a sentence: an ordinary word at its beginning is written small, a name stays.
pub(crate) fn within(headline: &str) -> String {
    match headline.split_once(' ') {
        Some((first, rest)) if ORDINARY.contains(&first) => {
            format!("{} {rest}", first.to_lowercase())
        }
        _ => headline.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_keep_their_capitals_inside_a_sentence() {
        assert_eq!(within("Nothing passes eth0"), "nothing passes eth0");
        assert_eq!(within("Ethernet OAM is dropped"), "Ethernet OAM is dropped");
        assert_eq!(within("TCP dropped 3 segments"), "TCP dropped 3 segments");
    }

    #[test]
    fn durations_are_rounded_for_people() {
        let texts = [0, 450, 960, 3012, 9_949, 35_004].map(seconds);
        assert_eq!(texts, ["0 s", "0.5 s", "1 s", "3 s", "9.9 s", "35 s"]);
    }
}
