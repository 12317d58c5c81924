//! Facts about the kernel: its drop reasons, its counters of drops, and the places where packets end.

pub mod hook;
pub mod site;

mod counter;
mod function;
mod reason;
#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
mod tests;

pub use counter::{DeviceCounter, Kind, NamespaceCounter};
pub use function::Function;
pub use reason::Reason;
pub use site::Site;
