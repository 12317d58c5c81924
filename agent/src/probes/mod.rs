//! eBPF probes: what they need from the kernel, how they are loaded, and what they read.

pub mod btf;
