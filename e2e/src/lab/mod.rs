//! The parts of a fault: a namespace that plays the node, pods, wires to hosts beyond, and traffic.

mod cable;
mod container;
mod drop_counters;
mod drop_trigger;
mod host;
mod kernel_log;
mod node;
mod pod;
mod relay;
mod segment;
mod setting;
mod switch;
mod traffic;
mod watch;

pub use cable::Cable;
pub use container::Container;
pub use drop_counters::DropCounter;
pub use drop_trigger::{DropSite, DropTrigger};
pub use host::HostRoot;
pub use kernel_log::KernelLog;
pub use node::{Node, Wire};
pub use pod::Pod;
pub use segment::Segment;
pub use setting::KernelSetting;
pub use switch::Switch;
pub use traffic::{Facts, Traffic};
pub use watch::{CAPABILITIES, Watch, Watched};
