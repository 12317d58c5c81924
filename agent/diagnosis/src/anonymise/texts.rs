//! Sentences of the agent about what it could not read. Words that it uses by itself stay, names and addresses are
//! replaced, everything else goes.

use std::{collections::HashSet, sync::LazyLock};

use super::Anonymiser;

/// The agent's own words, lower case. One that is missing here is lost in anonymised recordings, which harms nobody.
static WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("words.txt").split_whitespace().collect());
/// In place of any other word.
const REMOVED: &str = "(removed)";
/// A number with more digits may be an address, a time or a key.
const MOST_DIGITS: usize = 7;

/// The same sentence with the names and addresses of others.
pub(super) fn anonymise(text: &str, anonymiser: &mut Anonymiser) -> String {
    let separates =
        |character: char| character.is_whitespace() || "()[]{}<>,;=\"'`|".contains(character);
    let pieces = text.split_inclusive(separates).map(|piece| {
        let word = piece.trim_end_matches(separates);
        let core = word.trim_end_matches([':', '.', '!', '?']);
        let rest = piece.get(core.len()..).unwrap_or_default();
        if core.is_empty() {
            return piece.to_owned();
        }
        path(core, anonymiser) + rest
    });
    pieces.collect()
}

/// A word, or several with slashes between them: `shop/cart-0`, `/proc`.
fn path(text: &str, anonymiser: &mut Anonymiser) -> String {
    if let Some(new) = replaced(text, anonymiser) {
        return new;
    }
    let parts = text.split('/').map(|part| {
        let stays = part.is_empty() || is_own(part);
        match replaced(part, anonymiser) {
            Some(new) => new,
            None if stays => part.to_owned(),
            None => REMOVED.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

fn replaced(word: &str, anonymiser: &mut Anonymiser) -> Option<String> {
    if let Some(name) = anonymiser.names.known(word) {
        return Some(name);
    }
    if let Ok(address) = word.parse() {
        return Some(anonymiser.addresses.ip(address).to_string());
    }
    anonymiser.addresses.link_address(word)
}

fn is_own(word: &str) -> bool {
    let is_number = word.len() <= MOST_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number || WORDS.contains(word.to_lowercase().as_str())
}
