//! Prints the CustomResourceDefinitions as YAML.

use std::io::{self, Write};

use netdiag_crds::schema;

fn main() -> io::Result<()> {
    io::stdout().write_all(schema::yaml()?.as_bytes())
}
