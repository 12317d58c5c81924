//! Prints the CustomResourceDefinitions as YAML; with the argument `reference`, the API reference as Markdown.

use std::env;
use std::io::{self, Write};

use netdiag_crds::{reference, schema};

fn main() -> io::Result<()> {
    let text = match env::args().nth(1).as_deref() {
        None => schema::yaml()?,
        Some("reference") => reference::markdown()?,
        Some(other) => {
            let message = format!("unknown argument {other:?}; there is only `reference`");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    };
    io::stdout().write_all(text.as_bytes())
}
