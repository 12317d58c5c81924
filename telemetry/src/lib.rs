//! The output of the agent and the controller about themselves: log lines for people and collectors, metrics for
//! Prometheus, health for the kubelet.
//!
//! Nothing served here is about a diagnosis' findings beyond their numbers: no names of pods, nodes or interfaces.

mod connections;
pub mod health;
pub mod logs;
pub mod server;
