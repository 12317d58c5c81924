//! Faults on the running kernel, diagnosed through the real API server.

mod harness;
