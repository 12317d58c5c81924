//! The way both programs speak to the API server.
//!
//! - [`connect`] finds it and makes a client of which each request has a deadline ([`bounded`]);
//! - [`retry_after`] tells how long a refusal asks to wait, from the header that kube does not pass on;
//! - [`undeclared`] reads which fields an older CustomResourceDefinition lacks, and takes them out of a write;
//! - [`watch`] lists and watches one kind, notices a watch that has gone deaf, and waits between attempts.

pub mod bounded;
pub mod connect;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod undeclared;
pub mod watch;

pub use bounded::{NoAnswer, retry_after};
pub use undeclared::Undeclared;
