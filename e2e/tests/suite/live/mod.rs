//! Faults on the running kernel, diagnosed through the real API server.

mod checksums;
mod diagnosed;
mod drops;
mod faults;
mod harness;
mod protocol;
mod tap;
mod twins;
