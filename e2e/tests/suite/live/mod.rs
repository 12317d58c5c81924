//! Faults on the running kernel, diagnosed through the real API server.

mod diagnosed;
mod faults;
mod harness;
mod protocol;
mod twins;
