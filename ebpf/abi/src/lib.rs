#![no_std]
//! Types that the eBPF programs and the agent share, byte for byte.
