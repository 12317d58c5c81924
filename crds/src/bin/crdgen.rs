//! Prints the CustomResourceDefinitions as YAML.

use std::io::{self, Write};

use netdiag_crds::schema;

fn main() -> io::Result<()> {
    io::stdout().write_all(schema::yaml().map_err(io::Error::other)?.as_bytes())
}
