//! Harness under the fault scenarios: a private control plane, throwaway network namespaces, and
//! the promise that nothing of either stays behind.

pub mod cleanup;
pub mod cluster;
pub mod control_plane;
pub mod helm;
pub mod http;
pub mod kubectl;
pub mod lab;
pub mod netns;
pub mod nodes;
pub mod process;
pub mod programs;
pub mod scenarios;
pub mod wait;
