//! Faults on the running kernel, diagnosed through the real API server.

mod capabilities;
mod checksums;
mod diagnosed;
mod driver_messages;
mod drops;
mod faults;
mod fragments;
mod harness;
mod promiscuity;
mod protocol;
mod segment_routing;
mod tap;
mod twins;
