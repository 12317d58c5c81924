//! The text of a file that people read, at its place: all else is covered, so that offsets and lines stay.
//!
//! Markers of comments and line breaks within strings become spaces, so a sentence reads on over lines. Code becomes
//! [`COVER`], which no sentence reads over.

/// The byte in the place of each byte of code.
pub const COVER: u8 = b'|';

/// Covers everything in Rust source except comments and string literals.
pub fn of_rust(source: &str) -> String {
    let mut lexer = Lexer {
        source: source.as_bytes(),
        at: 0,
        prose: Vec::with_capacity(source.len()),
    };
    while lexer.at < lexer.source.len() {
        lexer.step();
    }
    into_text(lexer.prose)
}

/// Covers the markers of comments in YAML, templates and other files that are text as a whole.
pub fn of_text(source: &str) -> String {
    let mut at_start = true;
    let prose = source.bytes().map(|byte| {
        let is_marker = byte == b'#' && at_start;
        at_start = byte == b'\n' || (at_start && (byte == b' ' || is_marker));
        if is_marker { b' ' } else { byte }
    });
    into_text(prose.collect())
}

fn into_text(prose: Vec<u8>) -> String {
    String::from_utf8(prose).unwrap_or_else(|error| {
        // Characters are kept or covered whole, so this does not happen; and a lint need not die of it.
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    })
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    prose: Vec<u8>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        if self.looks_at(b"//") {
            self.line_comment();
        } else if self.looks_at(b"/*") {
            self.block_comment();
        } else if self.looks_at(b"\"") {
            self.string();
        } else if let Some(hashes) = self.raw_string() {
            self.raw(hashes);
        } else if self.looks_at(b"'") {
            self.character();
        } else {
            self.cover(1);
        }
    }

    fn looks_at(&self, text: &[u8]) -> bool {
        self.source[self.at..].starts_with(text)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    /// Passes over code.
    fn cover(&mut self, length: usize) {
        self.replace(length, COVER);
    }

    fn replace(&mut self, length: usize, by: u8) {
        let end = (self.at + length).min(self.source.len());
        let bytes = self.source[self.at..end].iter();
        self.prose.extend(bytes.map(|byte| match byte {
            b'\n' | b' ' | b'\t' | b'\r' => *byte,
            _ => by,
        }));
        self.at = end;
    }

    fn keep(&mut self, length: usize) {
        let end = (self.at + length).min(self.source.len());
        self.prose.extend_from_slice(&self.source[self.at..end]);
        self.at = end;
    }

    fn line_comment(&mut self) {
        while matches!(self.peek(0), Some(b'/' | b'!')) {
            self.replace(1, b' ');
        }
        let rest = &self.source[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n');
        self.keep(length.unwrap_or(rest.len()));
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.source.len() {
            if self.looks_at(b"/*") {
                depth += 1;
                self.replace(2, b' ');
            } else if self.looks_at(b"*/") {
                depth -= 1;
                self.replace(2, b' ');
            } else {
                self.keep(1);
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.cover(1);
        loop {
            match self.peek(0) {
                None => return,
                Some(b'"') => return self.cover(1),
                // The end of a line within a sentence, or a character that has no letter.
                Some(b'\\') => self.replace(2, b' '),
                Some(_) => self.keep(1),
            }
        }
    }

    /// The number of `#` of a raw string that begins here.
    fn raw_string(&self) -> Option<usize> {
        let before = self.at.checked_sub(1).map(|at| self.source[at]);
        let in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        // `br` and `cr` are prefixes too; their first letter was covered before.
        if self.peek(0) != Some(b'r')
            || before.is_some_and(|b| in_word(b) && b != b'b' && b != b'c')
        {
            return None;
        }
        let hashes = self.source[self.at + 1..].iter();
        let hashes = hashes.take_while(|byte| **byte == b'#').count();
        (self.peek(1 + hashes) == Some(b'"')).then_some(hashes)
    }

    fn raw(&mut self, hashes: usize) {
        let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        self.cover(1 + hashes + 1);
        while self.at < self.source.len() && !self.looks_at(&end) {
            self.keep(1);
        }
        self.cover(end.len());
    }

    /// A character, which may be a quote, or the mark of a lifetime.
    fn character(&mut self) {
        let rest = std::str::from_utf8(&self.source[self.at + 1..]).unwrap_or_default();
        let mut characters = rest.char_indices();
        let length = match characters.next() {
            Some((_, '\\')) => rest[2..].find('\'').map(|end| end + 4),
            Some(_) => characters
                .next()
                .filter(|(_, character)| *character == '\'')
                .map(|(end, _)| end + 2),
            None => None,
        };
        self.cover(length.unwrap_or(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, shown: &str) {
        let prose = of_rust(source);
        assert_eq!(prose.len(), source.len(), "offsets stay");
        assert_eq!(prose.matches('\n').count(), source.matches('\n').count());
        let shown_words: Vec<&str> = shown.split(' ').collect();
        let words: Vec<&str> = prose
            .split([' ', '\n', '|'])
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(words, shown_words, "{prose}");
    }

    #[test]
    fn comments_and_strings_are_prose_and_code_is_none() {
        check(
            "let only = 1; // one two\n/// three\n//! four",
            "one two three four",
        );
        check(
            "f(\"a quoted \\\" mark\", /* b /* c */ d */ e)",
            "a quoted mark b c d",
        );
        check(
            r##"x(r"no \", br#"with " in"#, r#type)"##,
            r#"no \ with " in"#,
        );
        check("'\"'; '\\''; '\\\\'; 'é'; &'static str; \"text\"", "text");
        check("// unended \"\nlet code = \"and on\";", "unended \" and on");
    }

    #[test]
    fn a_sentence_reads_on_over_the_lines_of_a_comment_or_a_string() {
        assert_eq!(
            of_rust("// on\n// and")
                .split_whitespace()
                .collect::<Vec<_>>(),
            ["on", "and"]
        );
        assert_eq!(of_rust("\"on \\\n   and\""), "|on  \n   and|");
        assert_eq!(
            of_text("key: 1\n  # on\n  ## and # this"),
            "key: 1\n    on\n     and # this"
        );
    }
}
