//! The parts that only a machine without an image registry and without downloads of programs needs. Read it when that
//! is yours; nothing else of this crate asks you to know it.
//!
//! Where a registry can be reached, nodes come from a cluster that is there, and images from the Dockerfile as it is:
//! `cargo xtask image` then uses nothing of this module. Here the programs of nodes are built from Go modules, and
//! images on a Debian tree that is made from packages, with the crates of Cargo.lock and this machine's bpf-linker.

pub mod image_base;
pub mod node_programs;

pub use image_base::{Base, Offline, no_arm64};
pub use node_programs::folder as node_programs;
