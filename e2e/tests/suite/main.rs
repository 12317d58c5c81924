//! End-to-end tests. All are ignored by default: they need a control plane or root, which
//! `cargo xtask test` sets up.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod apiserver;
mod live;
