//! Evidence in, findings and a drop ledger out.
//!
//! This crate is pure: no clock, no file, no socket, no async runtime. Everything a detector knows is in the
//! [`EvidenceWindow`]; the same window gives the same [`Diagnosis`] on any machine, which is what makes recordings
//! replayable and detectors testable.

pub mod causes;
pub mod evidence;
pub mod finding;
pub mod kernel;
pub mod ledger;
pub mod text;
pub mod topology;
pub mod uapi;
mod unseen;
pub mod verdict;

mod anonymise;
pub mod detectors;
mod diagnose;
mod explained_retransmissions;
mod packets;
mod settings;
#[cfg(test)]
mod testing;
mod window;

pub use anonymise::anonymise;
pub use diagnose::{Diagnosis, diagnose};
pub use evidence::EvidenceWindow;
pub use settings::{Settings, SettingsError};
pub use window::Window;
