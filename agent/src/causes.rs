//! An error with what caused it, in one line.

use std::error::Error;

/// All of them: `failed to do this: that was refused: no such file`.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their source's words in their own.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn every_cause_is_said_once() {
        let inner = Layer("refused", None);
        let middle = Layer("failed to connect: refused", Some(Box::new(inner)));
        let outer = Layer("failed to write", Some(Box::new(middle)));
        assert_eq!(
            causes(&outer),
            "failed to write: failed to connect: refused"
        );
    }
}
