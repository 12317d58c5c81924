//! Faults on stock kernels, in guests that `cargo xtask test-vm` boots. The agent has the capabilities of the chart and
//! no more, and on kernels that account locked memory 8 MiB of it.

mod bonds;
mod checksums;
mod counted;
mod driver_messages;
mod drops;
mod faults;
mod fragments;
mod nics;
mod privileges;
mod promiscuity;
mod recorded;
mod segment_routing;
mod stacked;
mod tap;
mod twins;
mod watched;
