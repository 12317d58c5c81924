//! The controller of netdiag.
fn main() {}
