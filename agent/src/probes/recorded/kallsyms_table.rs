//! The table of symbols that a kernel's image carries for itself (kallsyms). Debian's System.map holds none.
//!
//! `scripts/kallsyms.c` writes it: the number of symbols, their compressed names, an index to every 256th of them
//! (markers), the 256 tokens that the bytes of a name stand for, and their offsets.

use std::collections::BTreeSet;

/// A kernel has so many symbols.
const PLAUSIBLE: std::ops::Range<u32> = 20_000..1_000_000;
/// The tokens of the digits stand for themselves, in this order.
const DIGITS: &[u8] = b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00";
/// Alignments of the table's parts: the size of a pointer, or on 7.x that of a number.
const ALIGNMENTS: [usize; 2] = [8, 4];

/// Names of all functions in an image that is not compressed; `None` where it carries no table.
pub(super) fn functions(image: &[u8]) -> Option<BTreeSet<String>> {
    let mut from = 0;
    while let Some(found) = find(image.get(from..)?, DIGITS) {
        let digits = from + found;
        for alignment in ALIGNMENTS {
            let tokens = Tokens::around(image, digits, alignment);
            if let Some(names) = tokens.and_then(|tokens| tokens.names(image)) {
                return Some(names);
            }
        }
        from = digits + 1;
    }
    None
}

/// The place of the first such bytes.
pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

struct Tokens {
    /// The place of the table.
    start: usize,
    tokens: Vec<Vec<u8>>,
    alignment: usize,
}

impl Tokens {
    /// The table with the tokens of the digits here.
    fn around(image: &[u8], digits: usize, alignment: usize) -> Option<Self> {
        let end = (usize::from(b'0')..256).try_fold(digits, |at, _| {
            Some(at + find(image.get(at..at + 1024)?, &[0])? + 1)
        })?;
        let index = end.next_multiple_of(alignment);
        let offset = |number: usize| {
            let at = index + 2 * number;
            let bytes = image.get(at..at + 2)?;
            Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
        };
        let start = digits.checked_sub(offset(usize::from(b'0'))?)?;
        if offset(0)? != 0 {
            return None;
        }
        let token = |number: usize| {
            let bytes = image.get(start + offset(number)?..)?;
            Some(bytes.get(..find(bytes, &[0])?)?.to_vec())
        };
        let tokens: Vec<Vec<u8>> = (0..256).map(token).collect::<Option<_>>()?;
        // So do other characters of names.
        let stands_for_itself = |byte: &u8| tokens.get(usize::from(*byte)) == Some(&vec![*byte]);
        if !b"_tTaez".iter().all(stands_for_itself) {
            return None;
        }
        Some(Self {
            start,
            tokens,
            alignment,
        })
    }

    /// The names before the table, with their number before them.
    fn names(&self, image: &[u8]) -> Option<BTreeSet<String>> {
        let mut at = self.start & !(self.alignment - 1);
        while let Some(before) = at.checked_sub(self.alignment) {
            at = before;
            let number = word(image, at)?;
            if PLAUSIBLE.contains(&number)
                && let Some(names) = self.names_at(image, at + self.alignment, number)
            {
                return Some(names);
            }
        }
        None
    }

    fn names_at(&self, image: &[u8], start: usize, number: u32) -> Option<BTreeSet<String>> {
        let mut compressed = Vec::new();
        let mut second_marker = None;
        let mut at = start;
        for count in 0..number {
            if count == 256 {
                second_marker = Some(u32::try_from(at - start).ok()?);
            }
            let mut length = usize::from(*image.get(at)?);
            at += 1;
            // Longer ones since 6.1 (big symbols).
            if length & 0x80 != 0 {
                length = (length & 0x7f) | usize::from(*image.get(at)?) << 7;
                at += 1;
            }
            compressed.push(at..at + length);
            at += length;
            if at > self.start || length == 0 {
                return None;
            }
        }
        // From within the names one can count on to their end as well; only from their beginning the index fits.
        let markers = at.next_multiple_of(self.alignment);
        if word(image, markers) != Some(0) || word(image, markers + 4) != second_marker {
            return None;
        }
        let names = compressed.into_iter().filter_map(|bytes| {
            let name: Vec<u8> = image[bytes]
                .iter()
                .flat_map(|byte| self.tokens[usize::from(*byte)].iter().copied())
                .collect();
            let (kind, name) = name.split_first()?;
            b"tTwW"
                .contains(kind)
                .then(|| String::from_utf8_lossy(name).into_owned())
        });
        Some(names.collect())
    }
}

fn word(image: &[u8], at: usize) -> Option<u32> {
    let bytes = image.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
